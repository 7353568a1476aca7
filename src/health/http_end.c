/* health/http_end.c: interprets how the transfer of an HTTP probe ended. Pure; health thread. */
#include "health/http_end.h"

#include <errno.h>
#include <string.h>

/* Returns, for answer_judge(), how a connected server cut the answer off. The text may be in `scratch`. */
static const char *describe_cut(const struct transfer_end *end, const struct answer *answer, const struct addr *addr,
                                struct probe_result *scratch)
{
    const char *closed = end->was_unread ? "connection reset" : "closed the connection";

    switch (end->code) {
    case CURLE_OK: /* libcurl accepts the end of the connection as the end of the headers */
        return answer->stage == ANSWER_BODY ? NULL : closed;
    case CURLE_WRITE_ERROR: /* our callback ended the transfer */
        return NULL;
    case CURLE_GOT_NOTHING:
        return end->was_unread ? closed : "closed the connection without an answer";
    case CURLE_PARTIAL_FILE:
        return closed;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (strstr(end->text, "unexpected eof")) /* TLS without its own end; many servers close like this */
            return closed;
        if (end->os_error == 0)
            return "sent a malformed chunk";
        probe_errno(scratch, (int)end->os_error, addr);
        return scratch->reason;
    default:
        return curl_easy_strerror(end->code);
    }
}

enum probe_outcome http_end_judge(const struct transfer_end *end, const struct answer *answer, const struct addr *addr,
                                  struct probe_result *result)
{
    struct probe_result scratch;
    CURLcode code = end->code;

    if (answer->no_memory || (code == CURLE_OUT_OF_MEMORY && !end->connected))
        return probe_errno(result, ENOMEM, addr);
    if (code == CURLE_COULDNT_CONNECT && end->os_error != 0)
        return probe_errno(result, (int)end->os_error, addr);
    if (code == CURLE_COULDNT_CONNECT)
        return probe_failed(result, "cannot connect");
    /* libcurl treats an answer without a status line as HTTP/0.9. */
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        return probe_failed(result, "does not answer in HTTP/1");
    /* libcurl 7.88 reports a lack of memory if a line is longer than 100 KiB. */
    if (answer->stage != ANSWER_BODY && (code == CURLE_WRITE_ERROR || code == CURLE_OUT_OF_MEMORY))
        return probe_failed(result, "HTTP headers of more than %d bytes", ANSWER_HEADER_BYTES_MAX);
    return answer_judge(answer, describe_cut(end, answer, addr, &scratch), result);
}
