/* work_answer.c: functions for all kinds of work: they send bytes, and read and verify replies. A load thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "load.h"

enum load_step load_send(struct load_thread *thread, struct load_conn *conn, const void *data, size_t length)
{
    ssize_t sent = send(conn->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? LOAD_BLOCKED : LOAD_FAILED_ERRNO;
    conn->sent += (uint64_t)sent;
    thread->result->sent_bytes += (uint64_t)sent;
    return LOAD_GO_ON;
}

enum load_step load_wrong(struct load_thread *thread, struct load_conn *conn, uint64_t position, const char *what)
{
    struct load_result *result = thread->result;
    if (result->first_wrong[0] == '\0')
        snprintf(result->first_wrong, sizeof(result->first_wrong),
                 "%s at byte %" PRIu64 " of answer %u on connection %u", what, position, conn->serial, conn->index);
    return LOAD_FAILED_WRONG;
}

enum load_step load_pattern(struct load_thread *thread, struct load_conn *conn, uint64_t offset, const uint8_t *data,
                            size_t length)
{
    size_t right =
        protocol_verify(conn->echo ? conn->request.key : protocol_reply_key(conn->request.key), offset, data, length);
    thread->result->verified_bytes += right;
    if (right != length)
        return load_wrong(thread, conn, conn->received + right, "wrong byte");
    conn->received += length;
    return LOAD_GO_ON;
}

static void count_for(struct load_thread *thread, struct load_conn *conn, unsigned index)
{
    struct load_name *name = &thread->result->names[index];
    name->requests++;
    name->connections += !conn->named;
    conn->named = true;
    conn->name = index;
}

void load_count_name(struct load_thread *thread, struct load_conn *conn)
{
    struct load_result *result = thread->result;
    const char *name = (const char *)conn->head + PROTOCOL_NAME_OFFSET;
    if (conn->echo || name[0] == '\0') {
        result->unnamed++;
        return;
    }
    if (conn->named && memcmp(result->names[conn->name].name, name, PROTOCOL_NAME_BYTES) == 0) {
        count_for(thread, conn, conn->name);
        return;
    }
    for (unsigned i = 0; i < result->name_count; i++) {
        if (memcmp(result->names[i].name, name, PROTOCOL_NAME_BYTES) == 0) {
            count_for(thread, conn, i);
            return;
        }
    }
    if (result->name_count < LOAD_NAMES_MAX) {
        memcpy(result->names[result->name_count].name, name, PROTOCOL_NAME_BYTES);
        count_for(thread, conn, result->name_count++);
    }
}

bool load_name_is_right(const char *name, uint16_t check)
{
    return name[PROTOCOL_NAME_BYTES - 1] == '\0' && protocol_name_check(name) == check;
}

/* Checks the reply header. After 32 bytes, it checks whether the server echoes the request; after 48 bytes, it checks the complete header of a reply. */
static enum load_step check_head(struct load_thread *thread, struct load_conn *conn, bool may_echo)
{
    struct protocol_reply reply;
    if (conn->received == sizeof(conn->request)) {
        if (may_echo && memcmp(conn->head, &conn->request, sizeof(conn->request)) == 0) {
            conn->echo = true;
            conn->expected = conn->request.request_bytes;
            conn->head_bytes = sizeof(conn->request);
            return LOAD_GO_ON;
        }
        conn->head_bytes = sizeof(reply);
        return LOAD_GO_ON;
    }
    memcpy(&reply, conn->head, sizeof(reply));
    if (reply.magic != PROTOCOL_REPLY_MAGIC || reply.id != conn->request.id ||
        reply.reply_bytes != conn->request.reply_bytes)
        return load_wrong(thread, conn, 0, "wrong head");
    if (reply.flags & PROTOCOL_REQUEST_CORRUPT)
        return load_wrong(thread, conn, 0, "report of a corrupt request");
    if (reply.flags != 0 || !load_name_is_right(reply.name, reply.name_check))
        return load_wrong(thread, conn, 0, "wrong flags or name");
    conn->expected = reply.reply_bytes;
    return LOAD_GO_ON;
}

/* Reads bytes of the header until it is complete. */
static enum load_step take_head(struct load_thread *thread, struct load_conn *conn, const uint8_t **data,
                                size_t *length, bool may_echo)
{
    while (*length > 0 && conn->received < conn->head_bytes) {
        size_t take = conn->head_bytes - (size_t)conn->received;
        if (take > *length)
            take = *length;
        memcpy(conn->head + conn->received, *data, take);
        conn->received += take;
        *data += take;
        *length -= take;
        if (conn->received < conn->head_bytes)
            break;
        enum load_step step = check_head(thread, conn, may_echo);
        if (step != LOAD_GO_ON)
            return step;
    }
    if (conn->expected > 0 && conn->received == conn->head_bytes)
        thread->result->verified_bytes += conn->head_bytes;
    return LOAD_GO_ON;
}

enum load_step load_answer(struct load_thread *thread, struct load_conn *conn, const uint8_t *data, size_t length,
                           bool may_echo)
{
    if (conn->received < conn->head_bytes) {
        enum load_step step = take_head(thread, conn, &data, &length, may_echo);
        if (step != LOAD_GO_ON || conn->expected == 0)
            return step;
    }
    if (length > conn->expected - conn->received)
        return load_wrong(thread, conn, conn->expected, "surplus byte");
    return load_pattern(thread, conn, conn->received - conn->head_bytes, data, length);
}
