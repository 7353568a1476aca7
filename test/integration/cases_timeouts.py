"""Time limits of sessions: the backend's first byte, half-closed clients, and the lifetime. Those of silence alone are in cases_pressure.py."""
import select
import threading
import time

from case import EACH, ENGINES, Case, Stage
from peers import Caller, Peer, connect
from rig import require, wait_for

LATE = 1.0  # seconds that a busy machine may add


def in_time(began, least, what):
    took = time.monotonic() - began
    require(least - 0.02 <= took < least + LATE, f"{what} after {took:.2f} s instead of {least} s")


def dialogue_peers(stage, asks=10):
    """Returns a client and its server, after the server has read `asks` bytes."""
    client = Peer(stage.rig.keep(connect(stage.target)), "c", "s", {}, 10)
    server = Peer(stage.rig.keep(stage.scripted.accept()[0]), "s", "c", {}, 10)
    client.send(asks)
    server.recv(asks)
    return client, server


def expect_end(rig, code, count=1):
    row = rig.access(count)[count - 1]
    require(row["end"] == code, f"the access log says end={row['end']} {row['reason']}")


def unanswered(rig, case):
    """A client that has asked and gets no byte is reset after first_byte_timeout, and so is the backend. One that has not asked, or has had an answer, is not."""
    stage = Stage(rig, case)
    silent = Caller(stage.target, key=1)
    rig.keep(silent)
    rig.keep(stage.scripted.accept()[0])
    answered, server = dialogue_peers(stage)
    server.send(1)
    answered.recv(1)
    answered.send(10)
    began = time.monotonic()
    client, server = dialogue_peers(stage)
    client.expect_reset()
    in_time(began, 0.6, "reset")
    server.expect_reset()
    expect_end(rig, "sH")
    require("first byte" in rig.access()[0]["reason"], f"the reason is {rig.access()[0]['reason']}")
    require(silent.silent(1.0), "a client that asks for nothing was ended")
    require(not select.select([answered.sock], [], [], 0)[0], "a client that has had an answer was ended")


def slow_upload(rig, case):
    """first_byte_timeout does not end an upload that moves, however slowly, and ends one that has stopped."""
    stage = Stage(rig, case)
    client, server = dialogue_peers(stage)
    for _ in range(12):
        require(not select.select([client.sock], [], [], 0.2)[0], "the upload was ended while it moved")
        began = time.monotonic()
        client.send(1000)
        server.recv(1000)
    client.expect_reset()
    in_time(began, 0.6, "reset")
    server.expect_reset()
    stage.expect_ends(1)


def unread_upload(rig, case):
    """first_byte_timeout ends an upload that the backend no longer reads."""
    stage = Stage(rig, case)
    client = Peer(rig.keep(connect(stage.target)), "c", "s", {}, 10)
    try:
        client.fill()
        client.expect_broken()
    except ConnectionResetError:  # the time was over before the socket had been full for long
        pass
    stage.expect_ends(1)


def answered_by_another(rig, case):
    """With replay, another backend answers after first_byte_timeout if one hangs. A backend that hangs again and again is ejected for it."""
    stage = Stage(rig, case)

    def meets_it(number):
        """Makes a call, which must be answered. Returns whether the backend that hangs had it first."""
        caller = Caller(stage.target, key=number)
        began = time.monotonic()
        caller.call(100)
        caller.close()
        return time.monotonic() - began >= 0.6
    require(any(meets_it(number) for number in range(2)), "no request met the backend that hangs")
    wait_for(lambda: (meets_it(2), stage.penstock.logged("b0.* is EJECTED for .* no first byte within first_byte_timeout"))[1], "it is ejected")
    wait_for(lambda: not meets_it(3), "the ejection is known to all workers")
    require(not any(meets_it(number) for number in range(4, 8)), "a request met the ejected backend")


def busy_backend(rig, case):
    """A backend that streams to another client while one waits for its first byte is busy: the client is waited for, up to four times first_byte_timeout, and
    the backend is not ejected."""
    stage = Stage(rig, case)
    other, stream = dialogue_peers(stage)
    over = threading.Event()

    def flow():
        while not over.wait(0.1):
            stream.send(10)
            other.recv(10)

    flowing = threading.Thread(target=flow)
    flowing.start()
    try:
        client, server = dialogue_peers(stage)
        require(not select.select([client.sock], [], [], 0.9)[0], "the client was not waited for")
        server.send(10)
        client.recv(10)
        client, _ = dialogue_peers(stage)
        began = time.monotonic()
        client.expect_reset()
        in_time(began, 1.6, "reset")
    finally:
        over.set()
        flowing.join()
    require(not stage.penstock.logged("b0 .* is EJECTED"), "it was ejected")


def late_answer(rig, case):
    """A client that has sent FIN gets its answer although the first byte comes long after half_close_timeout."""
    stage = Stage(rig, case)
    client, server = dialogue_peers(stage)
    client.fin()
    server.expect_fin()
    time.sleep(1.5)  # the time that is tested
    server.send(50000)
    client.recv(50000)
    server.close()
    client.expect_fin()
    stage.expect_ends(1)


def no_answer(rig, case):
    """A client that has sent FIN and gets no answer is reset after idle_timeout, not after half_close_timeout; sooner with first_byte_timeout."""
    stage = Stage(rig, case)
    client, _ = dialogue_peers(stage)
    began = time.monotonic()
    client.fin()
    client.expect_reset()
    in_time(began, 1.0, "reset")
    stage.expect_ends(1)


def lifetime(rig, case):
    """A session ends after its lifetime although bytes move all the time. Both sides are reset, because the data may be incomplete."""
    stage = Stage(rig, case)
    began = time.monotonic()
    client, server = dialogue_peers(stage)
    failed = []

    def stream():
        try:
            while True:
                server.send(100)
                time.sleep(0.01)
        except OSError as error:
            failed.append(error)
    thread = threading.Thread(target=stream, daemon=True)
    thread.start()
    client.expect_reset()
    in_time(began, 1.0, "reset")
    thread.join(5)
    require(failed and isinstance(failed[0], (ConnectionResetError, BrokenPipeError)), f"the backend was not reset: {failed}")
    expect_end(rig, "PD")


def lifetimes_differ(rig, case):
    """Sessions that began together end at different times, within lifetime_jitter."""
    stage = Stage(rig, case)
    began = time.monotonic()
    callers = [rig.keep(Caller(stage.target, key=number)) for number in range(40)]
    poll, ends = select.poll(), {}
    for caller in callers:
        poll.register(caller.sock, select.POLLIN)
    while len(ends) < len(callers):
        events = poll.poll(5000)
        require(events, f"only {len(ends)} sessions ended")
        for fd, _ in events:
            ends[fd] = time.monotonic() - began
            poll.unregister(fd)
    first, last = min(ends.values()), max(ends.values())
    require(0.48 <= first < 0.85, f"the first ended after {first:.2f} s, due were 0.5 to 1.5 s")
    require(1.15 < last < 1.5 + LATE, f"the last ended after {last:.2f} s, due were 0.5 to 1.5 s")
    stage.expect_ends(len(callers))


def quiet_lifetime(rig, case):
    """With lifetime_quiet, a session in use outlives its lifetime. When it pauses, both sides get FIN."""
    stage = Stage(rig, case)
    client, server = dialogue_peers(stage)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        client.send(100)
        server.recv(100)
        server.send(40000)
        client.recv(40000)
        began = time.monotonic()
        time.sleep(0.05)
    client.expect_fin()
    in_time(began, 0.4, "ended")
    server.expect_fin()
    expect_end(rig, "PD")


def quiet_idle(rig, case):
    """With lifetime_quiet, a session that is idle already ends when its lifetime does."""
    stage = Stage(rig, case)
    began = time.monotonic()
    client, server = dialogue_peers(stage)
    client.expect_fin()
    in_time(began, 1.0, "ended")
    server.expect_fin()
    expect_end(rig, "PD")


def quiet_needs_order(rig, case):
    """With lifetime_quiet, neither a client that has sent FIN and waits for its answer is cut off, nor a transfer whose reader pauses."""
    stage = Stage(rig, case)
    client, server = dialogue_peers(stage)
    reader, source = dialogue_peers(stage)
    client.fin()
    server.expect_fin()
    source.fill()
    time.sleep(1.0)  # lifetime and gap are over
    server.send(50000)
    client.recv(50000)
    server.close()
    client.expect_fin()
    expect_end(rig, "--")
    reader.recv(source.mine.position)
    reader.expect_fin()  # now it is quiet
    source.expect_fin()
    expect_end(rig, "PD", 2)


CASES = (
    Case("first-byte-timeout", unanswered.__doc__, body=unanswered, pool={"first_byte_timeout": "600ms"}),
    Case("first-byte-slow-upload", slow_upload.__doc__, body=slow_upload, pool={"first_byte_timeout": "600ms"}, ends=("sH",)),
    Case("first-byte-upload-unread", unread_upload.__doc__, body=unread_upload, backends=("mute",), pool={"first_byte_timeout": "1s"}, ends=("sH",)),
    Case("first-byte-replay", answered_by_another.__doc__, body=answered_by_another, backends=("mute", "echo"),
         pool={"first_byte_timeout": "600ms", "replay": "64k", "balance": "round_robin", "eject_after": 2}, ways=ENGINES),
    Case("half-closed-late-answer", late_answer.__doc__, body=late_answer, pool={"half_close_timeout": "300ms"}, ends=("--",)),
    Case("half-closed-no-answer", no_answer.__doc__, body=no_answer, pool={"half_close_timeout": "300ms", "idle_timeout": "1s"}, ends=("sD",), ways=ENGINES),
    Case("first-byte-busy", busy_backend.__doc__, body=busy_backend, backends=("script", "dead"), ways=ENGINES,
         pool={"first_byte_timeout": "400ms", "eject_after": 1, "balance": "round_robin"}),
    Case("half-closed-first-byte", no_answer.__doc__, body=no_answer, pool={"half_close_timeout": "300ms", "first_byte_timeout": "1s"}, ends=("sH",),
         ways=ENGINES),
    Case("lifetime", lifetime.__doc__, body=lifetime, pool={"lifetime": "1s", "lifetime_jitter": "0%"}),
    Case("lifetime-jitter", lifetimes_differ.__doc__, body=lifetimes_differ, backends=("echo",), pool={"lifetime": "1s", "lifetime_jitter": "50%"},
         ends=("PD",), ways=ENGINES),
    Case("lifetime-quiet", quiet_lifetime.__doc__, body=quiet_lifetime, pool={"lifetime": "300ms", "lifetime_quiet": "400ms"}, ways=EACH),
    Case("lifetime-quiet-idle", quiet_idle.__doc__, body=quiet_idle, pool={"lifetime": "1s", "lifetime_jitter": "0%", "lifetime_quiet": "200ms"}, ways=ENGINES),
    Case("lifetime-quiet-in-order", quiet_needs_order.__doc__, body=quiet_needs_order, pool={"lifetime": "300ms", "lifetime_quiet": "200ms"}),
)
