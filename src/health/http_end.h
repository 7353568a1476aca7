/* health/http_end.h: translates the result of libcurl for an HTTP probe into the rule of health/answer.h. Pure; any thread. */
#ifndef HEALTH_HTTP_END_H
#define HEALTH_HTTP_END_H

#include "health/answer.h"
#include "health/transfer.h"

/* Fills `result` and returns its outcome. `addr` is the probed address. */
enum probe_outcome http_end_judge(const struct transfer_end *end, const struct answer *answer, const struct addr *addr,
                                  struct probe_result *result);

#endif
