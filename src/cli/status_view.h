/* cli/status_view.h: the table of `penstock status`. Main thread. */
#ifndef CLI_STATUS_VIEW_H
#define CLI_STATUS_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* The widest line. */
enum { STATUS_VIEW_COLUMNS = 80 };

/* Prints a line about the process. `status`: the answer to GET /v1/status. */
void status_view_process(FILE *out, const json_t *status);

/* Prints the pools and their backends. `pools`: the answer to GET /v1/pools. `colours`: states have colours, by the escape sequences of ECMA-48. */
void status_view_pools(FILE *out, const json_t *pools, bool colours);

#endif
