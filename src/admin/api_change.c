/* admin/api_change.c: changes what runs, on request, and logs each change. Admin thread. */
#include "admin/api_change.h"

#include "admin/api_answer.h"
#include "admin/api_body.h"
#include "admin/api_level.h"
#include "admin/api_log.h"
#include "log/log.h"

enum { TEXT_BYTES = 400 };

/* Applies an edit. Returns false after answering. */
static bool apply_edit(const struct admin_service *service, const struct config_edit *edit, struct http_answer *answer)
{
    char error[ADMIN_ERROR_BYTES] = "";
    int result;

    if (!service->links->change) {
        api_answer_unable(answer);
        return false;
    }
    result = service->links->change(service->links->context, edit, error, sizeof(error));
    if (result == 0)
        return true;
    api_answer_failure(answer, result, error);
    return false;
}

/* Reads the body as an edit of a backend of the pool in the path. Returns false after answering. */
static bool read_edit(struct api_body *body, enum config_edit_kind kind, const struct http_request *request, struct http_answer *answer)
{
    char error[API_BODY_ERROR_BYTES];

    if (!http_request_allow(request, NULL, 0, answer))
        return false;
    if (!api_body_edit(body, kind, request->body, request->body_bytes, error)) {
        http_answer_error(answer, 400, "%s", error);
        return false;
    }
    body->edit.pool = request->values[0];
    return true;
}

void api_change_add(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    struct api_body body;
    const struct config_edit *edit = &body.edit;
    char options[TEXT_BYTES];

    if (!read_edit(&body, CONFIG_EDIT_ADD, request, answer))
        return;
    if (apply_edit(service, edit, answer)) {
        api_body_describe(edit, options, sizeof(options));
        api_log_change(request, "pool %s: backend %s: added, address = %s%s%s", edit->pool, edit->backend, edit->address, *options != '\0' ? ", " : "",
                       options);
        api_answer_json(answer, 201, json_pack("{s:s, s:s, s:s, s:o}", "pool", edit->pool, "backend", edit->backend, "address", edit->address,
                                               "options", api_body_json(edit)));
    }
    api_body_clear(&body);
}

void api_change_set(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    struct api_body body;
    const struct config_edit *edit = &body.edit;
    char options[TEXT_BYTES];

    if (!read_edit(&body, CONFIG_EDIT_SET, request, answer))
        return;
    body.edit.backend = request->values[1];
    if (apply_edit(service, edit, answer)) {
        api_log_change(request, "pool %s: backend %s: %s", edit->pool, edit->backend, api_body_describe(edit, options, sizeof(options)));
        api_answer_json(answer, 200, json_pack("{s:s, s:s, s:o}", "pool", edit->pool, "backend", edit->backend, "options", api_body_json(edit)));
    }
    api_body_clear(&body);
}

void api_change_remove(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    const struct config_edit edit = {.kind = CONFIG_EDIT_REMOVE, .pool = request->values[0], .backend = request->values[1]};

    if (!api_answer_is_bare(request, answer) || !apply_edit(service, &edit, answer))
        return;
    api_log_change(request, "pool %s: backend %s: removed", edit.pool, edit.backend);
    api_answer_json(answer, 200, json_pack("{s:s, s:s}", "pool", edit.pool, "backend", edit.backend));
}

void api_change_log_level(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    enum log_level level = LOG_INFO;
    char error[API_BODY_ERROR_BYTES];
    bool logged = log_enabled(LOG_INFO);

    if (!http_request_allow(request, NULL, 0, answer))
        return;
    if (!api_body_log_level(&level, request->body, request->body_bytes, error)) {
        http_answer_error(answer, 400, "%s", error);
        return;
    }
    if (!service->links->log_level) {
        api_answer_unable(answer);
        return;
    }
    if (logged) /* before a level that leaves this line out */
        api_log_change(request, "log_level = %s", api_level_word(level));
    (void)service->links->log_level(service->links->context, level);
    if (!logged)
        api_log_change(request, "log_level = %s", api_level_word(level));
    api_answer_json(answer, 200, json_pack("{s:s}", "level", api_level_word(level)));
}
