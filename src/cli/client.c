/* cli/client.c: calls the admin API. Main thread. A client owns one libcurl handle, which keeps its connection. */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES_MAX ((size_t)64 << 20) /* a list of 10,000 backends has some megabytes */
enum { CONNECT_TIMEOUT_MS = 2000 };

struct client {
    CURL *curl;
    char *socket;
};

struct client *client_new(const char *socket)
{
    struct client *client = calloc(1, sizeof(*client));

    if (!client)
        return NULL;
    client->socket = strdup(socket);
    client->curl = curl_easy_init();
    if (client->socket && client->curl)
        return client;
    client_free(client);
    return NULL;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    if (client->curl)
        curl_easy_cleanup(client->curl);
    free(client->socket);
    free(client);
}

const char *client_socket(const struct client *client)
{
    return client->socket;
}

/* Called by libcurl for each piece of the body. Returning another number than was given makes it stop. */
static size_t take_piece(char *piece, size_t size, size_t count, void *context)
{
    struct client_answer *answer = context;
    size_t bytes = size * count;
    char *text;

    if (answer->text_bytes + bytes > BODY_BYTES_MAX)
        return 0;
    text = realloc(answer->text, answer->text_bytes + bytes + 1);
    if (!text)
        return 0;
    memcpy(text + answer->text_bytes, piece, bytes);
    answer->text = text;
    answer->text_bytes += bytes;
    text[answer->text_bytes] = '\0';
    return bytes;
}

static const char *connect_advice(int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return "is penstock running, and with this admin socket (-s SOCKET, or -c FILE)?";
    case EACCES:
    case EPERM:
        return "this user may not use it; see admin_mode and admin_group in penstock.ini(5), or use sudo";
    default:
        return "is it the admin socket of a penstock that runs?";
    }
}

static enum client_result explain_failure(const struct client *client, CURLcode code, struct client_answer *answer)
{
    long error = 0;

    (void)curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &error);
    if (code == CURLE_COULDNT_CONNECT) {
        (void)snprintf(answer->error, sizeof(answer->error), "nothing answers at %s: %s; %s", client->socket,
                       error ? strerror((int)error) : "not connected", connect_advice((int)error));
        return CLIENT_UNREACHABLE;
    }
    if (code == CURLE_OPERATION_TIMEDOUT || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR) {
        (void)snprintf(answer->error, sizeof(answer->error), "no answer at %s: %s; is penstock stopped or ending?", client->socket, curl_easy_strerror(code));
        return CLIENT_UNREACHABLE;
    }
    if (code == CURLE_WRITE_ERROR)
        (void)snprintf(answer->error, sizeof(answer->error), "the answer is too large, or there is no memory for it");
    else
        (void)snprintf(answer->error, sizeof(answer->error), "%s: %s", client->socket, curl_easy_strerror(code));
    return CLIENT_REFUSED;
}

/* Judges the answer that has come. */
static enum client_result judge_answer(struct client_answer *answer)
{
    const char *error;

    if (answer->status >= 200 && answer->status < 300)
        return CLIENT_DONE;
    error = json_string_value(json_object_get(answer->json, "error"));
    if (error)
        (void)snprintf(answer->error, sizeof(answer->error), "%s", error);
    else
        (void)snprintf(answer->error, sizeof(answer->error), "the answer has the status %ld and no explanation", answer->status);
    return CLIENT_REFUSED;
}

enum client_result client_call(struct client *client, const char *method, const char *path, const json_t *body, long timeout_ms, struct client_answer *answer)
{
    CURL *curl = client->curl;
    struct curl_slist *headers = NULL;
    char *url = NULL, *text = NULL;
    enum client_result result = CLIENT_REFUSED;
    CURLcode code;

    *answer = (struct client_answer){0};
    (void)snprintf(answer->error, sizeof(answer->error), "out of memory");
    if (asprintf(&url, "http://penstock%s", path) < 0)
        return CLIENT_REFUSED;
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (body)
        text = json_dumps(body, JSON_COMPACT);
    if (!headers || (body && !text))
        goto out;
    curl_easy_reset(curl); /* keeps the connection */
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a backend may be named ".." */
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (text) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    answer->error[0] = '\0';
    code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        result = explain_failure(client, code, answer);
        goto out;
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->text)
        answer->json = json_loadb(answer->text, answer->text_bytes, 0, NULL); /* NULL: it is not JSON, which most calls do not expect */
    result = judge_answer(answer);

out:
    curl_slist_free_all(headers);
    free(text);
    free(url);
    return result;
}

void client_answer_clear(struct client_answer *answer)
{
    json_decref(answer->json);
    free(answer->text);
    *answer = (struct client_answer){0};
}

char *client_encode(const char *text)
{
    char *encoded = curl_easy_escape(NULL, text, 0), *copy;

    if (!encoded)
        return NULL;
    copy = strdup(encoded);
    curl_free(encoded);
    return copy;
}
