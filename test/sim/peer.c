/* test/sim/peer.c: simulated clients and backends. Each follows a script that sends, reads, closes and resets as the seed says. A peer knows every byte that
 * it must receive: a byte is a function of its position in the stream, the pair and the direction. Test thread; owns nothing. */
#include <string.h>

#include "base/hash.h"
#include "world.h"

/* CODE_BYTES is a prime, so that the sizes of buffers and pipes are not multiples of the period. */
enum { CODE_BYTES = 65521, PIECE_MAX = 16384 };

static const uint8_t *code_at(uint32_t pair, enum side from, uint64_t place)
{
    static uint8_t code[CODE_BYTES + PIECE_MAX];
    static bool made;

    if (!made) {
        uint64_t state = 1;

        for (uint32_t i = 0; i < CODE_BYTES; i++)
            code[i] = (uint8_t)random_next(&state);
        memcpy(code + CODE_BYTES, code, PIECE_MAX);
        made = true;
    }
    return code + (place + (2 * pair + from) * UINT64_C(1777)) % CODE_BYTES;
}

struct peer *peer_mate(struct peer *peer)
{
    return peer->side == CLIENT ? &peer->pair->backend : &peer->pair->client;
}

/* ---- the script ---- */

static uint32_t one_of(struct sim *sim, const uint32_t *values, uint32_t count)
{
    return values[sim_below(sim, count)];
}

#define ONE_OF(sim, ...) one_of(sim, (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static bool peer_is_local(const struct peer *peer)
{
    return peer->side == CLIENT ? peer->world->listener_local[peer->pair->listener] : peer->conn->local;
}

/* The backend dies before it answers: it resets the connection or it ends it, or the network fails. */
static void draw_death(struct peer *peer)
{
    struct sim *sim = peer->world->sim;
    struct script *script = &peer->script;

    script->bytes = 0;
    script->echo = script->speak_after_fin = false;
    script->fin = sim_chance(sim, 300) ? FIN_AFTER_BYTES : sim_chance(sim, 300) ? FIN_CLOSE : FIN_NEVER;
    if (peer->world->quick && script->fin == FIN_AFTER_BYTES) /* no reset follows, because the client may have ended first, and then this is an answer */
        return;
    if (peer->world->quick)
        script->fin = FIN_NEVER;
    script->speak_after_bytes = sim_chance(sim, 300) ? 0 : 1 + sim_below(sim, (uint32_t)peer->pair->client.script.bytes + 1);
    script->reset_after_received = sim_chance(sim, 500) ? sim_below(sim, (uint32_t)peer->pair->client.script.bytes + 1) : NEVER;
    script->reset_after_sent = script->speak_after_bytes > 0 || sim_chance(sim, 200) ? 0 : NEVER;
    script->break_after_us = sim_chance(sim, 500) ? sim_below(sim, 20000) : sim_below(sim, 1000000);
}

/* Whether this backend may die. */
static bool is_mortal(const struct peer *peer)
{
    const struct backend *backend = session_of_sock(peer->conn->sock)->lease.backend;

    return peer->world->deadly && !(peer->world->quick && world_backend_of(backend) == 0);
}

/* How a peer breaks its connection, if it does. */
static void draw_break(struct peer *peer)
{
    struct world *world = peer->world;
    struct sim *sim = world->sim;
    struct script *script = &peer->script;

    if (world->rough && !sim->options.tiny) {
        if (sim_chance(sim, 500)) { /* sends little and reads slowly, so that at its reset a send to it is pending and there is nothing to read */
            script->bytes = sim_below(sim, 2000);
            script->read_pause_us_max = 30000;
            script->fin = FIN_NEVER;
            script->reset_after_received = sim_below(sim, 50000);
            return;
        }
        script->bytes = 30000 + sim_below(sim, 200000);
        script->speak_after_bytes = 0;
        script->speak_after_fin = false;
        script->echo = false;
    }
    if (sim_chance(sim, world->rough ? 600 : 150))
        script->reset_after_sent = sim_below(sim, (uint32_t)script->bytes + 1);
    if (sim_chance(sim, 100))
        script->reset_after_received = sim_below(sim, 100000);
    if (sim_chance(sim, 40))
        script->break_after_us = sim_below(sim, 200000);
}

void peer_draw(struct peer *peer)
{
    struct world *world = peer->world;
    struct sim *sim = world->sim;
    struct script *script = &peer->script;
    uint64_t most = sim->options.tiny || world->crowd ? 2000 : ONE_OF(sim, 0, 1, 100, 3000, 20000, 60000, 200000, 600000);

    *script = (struct script){
        .bytes = sim_below(sim, (uint32_t)most + 1),
        .piece_bytes_max = ONE_OF(sim, 100, 4000, 16384, 16384),
        .pause_us_max = ONE_OF(sim, 0, 100, 2000, 20000),
        .speak_after_bytes = sim_chance(sim, 300) ? 1 + sim_below(sim, 100) : 0,
        .speak_after_fin = peer->side == BACKEND && sim_chance(sim, 150),
        .echo = peer->side == BACKEND && sim_chance(sim, 200),
        .urgent = sim_chance(sim, 150) ? 300 : 0,
        .deaf = sim_chance(sim, 30),
        .deaf_ms = sim_chance(sim, 100) ? sim_below(sim, 3000) : 0,
        .last_read_bytes = peer_is_local(peer) && sim_chance(sim, 300) ? sim_below(sim, 20000) : NEVER,
        .read_bytes_max = ONE_OF(sim, 300, 5000, 16384, 16384),
        .read_pause_us_max = ONE_OF(sim, 0, 100, 1000, 30000),
        .fin = sim_chance(sim, 600) ? FIN_AFTER_BYTES : sim_chance(sim, 600) ? FIN_AFTER_FIN : sim_chance(sim, 600) ? FIN_CLOSE : FIN_NEVER,
        .reset_after_sent = NEVER,
        .reset_after_received = NEVER,
        .break_after_us = NEVER,
    };
    if (script->piece_bytes_max < script->bytes / 300)
        script->piece_bytes_max = PIECE_MAX; /* bounds the number of events */
    if (world->quick) {
        script->deaf = false;
        script->deaf_ms = 0;
        if (script->fin == FIN_NEVER || script->fin == FIN_CLOSE)
            script->fin = FIN_AFTER_BYTES;
        if (peer->side == CLIENT && script->fin == FIN_AFTER_FIN)
            script->fin = FIN_AFTER_BYTES;
        script->speak_after_bytes = 0;
        if (script->echo || script->speak_after_fin || script->fin == FIN_AFTER_FIN) /* it can only continue after it has read more */
            script->last_read_bytes = NEVER;
        if (peer->side == BACKEND && peer->world->deadly) {
            script->bytes += !script->echo; /* an end without any bytes would be a death */
            script->fin = FIN_AFTER_FIN;
            script->last_read_bytes = NEVER;
        }
        if (peer->side == BACKEND && is_mortal(peer) && sim_chance(sim, 600))
            draw_death(peer);
        return;
    }
    if (peer->side == BACKEND && is_mortal(peer) && sim_chance(sim, 600)) {
        draw_death(peer);
        return;
    }
    if (world->lasting) {
        script->bytes = sim_below(sim, 3000);
        script->deaf = false;
        script->deaf_ms = 0;
        script->fin = FIN_NEVER;
        return;
    }
    draw_break(peer);
}

static void again(struct peer *peer, struct sim_event *event, uint32_t pause_us_max)
{
    if (!event->armed)
        sim_arm(peer->world->sim, event, (uint64_t)sim_below(peer->world->sim, pause_us_max + 1) * 1000);
}

static void reset(struct peer *peer)
{
    sim_note(peer->world->sim, peer->conn, "peer resets", 0);
    peer->reset_done = true;
    sim_peer_reset(peer->conn);
}

static bool over(const struct peer *peer)
{
    return peer->conn->peer_closed || peer->reset_heard;
}

/* Returns the number of bytes that it may have sent by now. */
static uint64_t allowed(const struct peer *peer)
{
    const struct script *script = &peer->script;

    if (peer->received < script->speak_after_bytes && !peer->fin_heard)
        return 0;
    if (script->speak_after_fin && !peer->fin_heard)
        return 0;
    return script->echo ? peer->received : script->bytes;
}

static bool all_said(const struct peer *peer)
{
    return peer->script.echo ? peer->fin_heard && peer->sent == peer->received : allowed(peer) == peer->script.bytes && peer->sent == peer->script.bytes;
}

static void say_fin(struct peer *peer)
{
    const struct script *script = &peer->script;

    if (peer->fin_sent || script->fin == FIN_NEVER || (script->fin == FIN_AFTER_FIN && !peer->fin_heard))
        return;
    sim_note(peer->world->sim, peer->conn, "peer's FIN", (int64_t)peer->sent);
    peer->fin_sent = true;
    if (script->fin == FIN_CLOSE) {
        /* Bytes that arrive after this are answered with RST. */
        peer->reset_done = true;
        sim_peer_close(peer->conn);
    } else {
        sim_peer_shutdown(peer->conn);
    }
}

static void on_speaking(struct sim_event *event)
{
    struct peer *peer = container_of(event, struct peer, speaking);
    struct sim *sim = peer->world->sim;
    uint64_t most = allowed(peer);

    if (over(peer) || peer->fin_sent)
        return;
    if (peer->sent < most) {
        uint64_t left = most - peer->sent;
        uint32_t piece = 1 + sim_below(sim, peer->script.piece_bytes_max);
        int64_t sent = sim_peer_send(peer->conn, code_at(peer->pair->index, peer->side, peer->sent), left < piece ? (uint32_t)left : piece);

        if (sent <= 0) /* there is no room, or the next read will report the reset */
            return;
        peer->sent += (uint64_t)sent;
        if (sim_chance(sim, peer->script.urgent))
            sim_peer_mark(peer->conn);
        again(peer, event, peer->script.pause_us_max);
    }
    if (peer->sent >= peer->script.reset_after_sent)
        reset(peer);
    else if (all_said(peer))
        say_fin(peer);
    if (peer->fin_sent && peer->fin_heard)
        sim_peer_close(peer->conn);
}

/* The peer has received FIN. */
static void heard_fin(struct peer *peer)
{
    peer->fin_heard = true;
    sim_note(peer->world->sim, peer->conn, "peer hears FIN", (int64_t)peer->received);
    check_fin_heard(peer);
    if (peer->fin_sent)
        sim_peer_close(peer->conn);
    else
        again(peer, &peer->speaking, peer->script.pause_us_max);
}

static void on_reading(struct sim_event *event)
{
    struct peer *peer = container_of(event, struct peer, reading);
    struct sim *sim = peer->world->sim;
    uint8_t bytes[PIECE_MAX];
    int64_t got;

    if (over(peer) || peer->fin_heard || peer->script.deaf)
        return;
    got = sim_peer_read(peer->conn, bytes, 1 + sim_below(sim, peer->script.read_bytes_max));
    if (got > 0) {
        got = tap_strip(peer, bytes, (uint32_t)got);
        if (memcmp(bytes, code_at(peer->pair->index, !peer->side, peer->received), (size_t)got) != 0)
            world_fail(peer->world, "pair %u: wrong bytes at %llu of what the %s reads", peer->pair->index, (unsigned long long)peer->received,
                       peer->side == CLIENT ? "client" : "backend");
        peer->received += (uint64_t)got;
        if (peer->received >= peer->script.reset_after_received) {
            reset(peer);
            return;
        }
        if (peer->received >= peer->script.last_read_bytes) {
            sim_note(sim, peer->conn, "peer stops reading", (int64_t)peer->received);
            peer->script.deaf = true;
            sim_peer_stop_reading(peer->conn);
        }
        again(peer, event, peer->script.read_pause_us_max);
        again(peer, &peer->speaking, peer->script.pause_us_max);
    } else if (got == 0) {
        heard_fin(peer);
    } else if (peer->conn->peer_reset) {
        sim_note(sim, peer->conn, "peer hears of the reset", (int64_t)peer->received);
        peer->reset_heard = true;
    }
}

static void on_breaking(struct sim_event *event)
{
    struct peer *peer = container_of(event, struct peer, breaking);

    peer->reset_done = true;
    sim_break(peer->conn, 110 /* ETIMEDOUT */);
}

void peer_start(struct peer *peer)
{
    struct sim *sim = peer->world->sim;

    peer->started = true;
    peer->speaking.run = on_speaking;
    peer->reading.run = on_reading;
    peer->breaking.run = on_breaking;
    again(peer, &peer->speaking, peer->script.pause_us_max);
    sim_arm(sim, &peer->reading, peer->script.deaf_ms * MS);
    if (peer->script.break_after_us != NEVER)
        sim_arm(sim, &peer->breaking, peer->script.break_after_us * 1000);
}

void peer_wake(struct peer *peer)
{
    if (!peer->started || over(peer))
        return;
    again(peer, &peer->reading, peer->script.read_pause_us_max);
    again(peer, &peer->speaking, peer->script.pause_us_max);
}

static void disarm(struct sim_event *event)
{
    if (event->armed)
        list_remove(&event->link);
    event->armed = false;
}

void peer_forget(struct peer *peer)
{
    disarm(&peer->speaking);
    disarm(&peer->reading);
    disarm(&peer->breaking);
    peer->conn->peer = NULL;
    peer->started = false;
}
