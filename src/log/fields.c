/* log/fields.c: the fields of a line of the access log. Pure; the log thread. */
#include "log/fields.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct field *add_field(struct fields *fields, const char *name, enum field_kind kind)
{
    struct field *field = &fields->list[fields->count++];

    assert(fields->count <= FIELDS_MAX);
    *field = (struct field){.name = name, .kind = kind};
    return field;
}

static void add_number(struct fields *fields, const char *name, uint64_t number)
{
    add_field(fields, name, FIELD_NUMBER)->number = number;
}

static void add_ms(struct fields *fields, const char *name, uint64_t us)
{
    add_field(fields, name, us == ACCESS_UNKNOWN ? FIELD_NONE : FIELD_MS)->number = us;
}

static void add_word(struct fields *fields, const char *name, const char *word)
{
    add_field(fields, name, *word == '\0' ? FIELD_NONE : FIELD_WORD)->text = word;
}

static void add_addr(struct fields *fields, const char *name, const struct addr *addr, char text[ADDR_TEXT_BYTES])
{
    *text = '\0';
    if (addr_family(addr) != AF_UNSPEC)
        (void)addr_format(addr, text, ADDR_TEXT_BYTES);
    add_word(fields, name, text);
}

static void add_leg(struct fields *fields, const struct access_leg *leg, const char *rtt, const char *retransmits)
{
    add_ms(fields, rtt, leg->known ? leg->rtt_us : ACCESS_UNKNOWN);
    add_field(fields, retransmits, leg->known ? FIELD_NUMBER : FIELD_NONE)->number = leg->retransmits;
}

/* What only sessions have. */
static void add_session(struct fields *fields, const struct access_record *record)
{
    add_number(fields, "tries", record->tries);
    add_number(fields, "replayed", record->replays);
    add_word(fields, "relay_in", record->spliced[0] ? "splice" : "copy");
    add_word(fields, "relay_out", record->spliced[1] ? "splice" : "copy");
    if (!record->has_legs)
        return;
    add_leg(fields, &record->legs[0], "client_rtt_ms", "client_retransmits");
    add_leg(fields, &record->legs[1], "backend_rtt_ms", "backend_retransmits");
}

void fields_list(struct fields *fields, const struct access_record *record)
{
    static const char *const events[] = {[ACCESS_OPEN] = "open", [ACCESS_ALIVE] = "alive", [ACCESS_END] = "end"};

    fields->count = 0;
    (void)snprintf(fields->number, sizeof(fields->number), "%" PRIu32 ".%" PRIu64, record->worker, record->number);
    add_word(fields, record->is_flow ? "flow" : "session", fields->number);
    add_word(fields, "event", events[record->event]);
    add_addr(fields, "client", &record->client, fields->client);
    add_word(fields, "listener", record->listener);
    add_word(fields, "pool", record->pool);
    add_word(fields, "backend", record->backend);
    add_addr(fields, "addr", &record->addr, fields->addr);
    add_number(fields, "worker", record->worker);
    if (!record->is_flow) {
        add_ms(fields, "connect_ms", record->connect_us);
        add_ms(fields, "first_byte_ms", record->first_byte_us);
    }
    add_ms(fields, "duration_ms", record->duration_us);
    if (record->is_flow) {
        add_number(fields, "datagrams_in", record->datagrams[0]);
        add_number(fields, "datagrams_out", record->datagrams[1]);
    }
    add_number(fields, "bytes_in", record->bytes[0]);
    add_number(fields, "bytes_out", record->bytes[1]);
    if (!record->is_flow)
        add_session(fields, record);
    if (record->event != ACCESS_END)
        return;
    add_word(fields, "end", record->end);
    add_field(fields, "reason", FIELD_TEXT)->text = record->reason;
}

void access_name(char out[ACCESS_NAME_BYTES], const char *name)
{
    size_t bytes = strnlen(name, ACCESS_NAME_BYTES - 1);

    memcpy(out, name, bytes);
    out[bytes] = '\0';
}
