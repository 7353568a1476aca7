/* admin/dashboard.h: GET /: the page of the dashboard, which is part of the program. Admin thread. */
#ifndef ADMIN_DASHBOARD_H
#define ADMIN_DASHBOARD_H

struct admin_service;
struct http_answer;
struct http_request;

void dashboard_get(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

#endif
