/* admin/api_survey.h: sessions and flows as JSON, for GET /v1/sessions and /v1/flows. Pure functions; any thread, in practice the admin thread. */
#ifndef ADMIN_API_SURVEY_H
#define ADMIN_API_SURVEY_H

#include <jansson.h>
#include <stdbool.h>

struct survey;

/* Returns a new reference, or NULL if out of memory. `flows`: what was asked for. */
json_t *api_survey_rows(const struct survey *survey, bool flows);

#endif
