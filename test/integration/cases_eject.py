"""Passive detection: backends are ejected for sessions that fail, and for nothing else."""
import os
import re
import resource
import signal
import time

from backends import Backend, Crowd
from case import ENGINES, ONCE, Case, Stage
from cases_balance import CHECKED, greetings, settle
from cases_busy import ModelServer, ServerProcess
from peers import Caller, connect, listen, reset
from rig import Failure, holds_for, require, wait_for

LONG = "10m"  # not over before the case ends


def try_session(target):
    """One session whose client sends first and stays. Returns the name of the backend that served it; None: the session failed."""
    try:
        with connect(target) as sock:
            sock.sendall(b"?")
            return sock.recv(100).decode().partition("\n")[0] or None
    except OSError:
        return None


def fail_until(stage, pattern, seconds=10.0):
    """Opens sessions until the log has the pattern."""
    wait_for(lambda: try_session(stage.target) is None and stage.penstock.logged(pattern) or stage.penstock.logged(pattern),
             f"the log says /{pattern}/", seconds, pause=0.002)


def ejected(penstock):
    """The backends that are ejected now by the log."""
    out = set()
    for name, what in re.findall(r"backend (b\d) \(\S+\) is (EJECTED|back)\b", penstock.log()):
        out = out | {name} if what == "EJECTED" else out - {name}
    return out


def broken_backend(how):
    def body(rig, case):
        """A backend that fails each session before its first byte is ejected after five in a row, or a few more until health looks. The log says why. The
        other two then serve every client, until it is back."""
        stage = Stage(rig, case)
        served = [try_session(stage.target) for _ in range(15)]
        require(served.count(None) == 5, f"{served.count(None)} of 15 sessions failed")
        stage.penstock.wait_log(rf"pool main: backend b0 \({stage.backends[0].address[0]}:\d+\) is EJECTED for 2s: \d+ sessions in a row failed, the last: {how} "
                                "before the first byte; 2 of 3 usable")
        settle(stage.target, ["b1", "b2"])
        require(set(greetings(stage.target, 12)) == {"b1", "b2"}, "a session went to the ejected backend")
        stage.backends[0].mode = "greet"
        stage.penstock.wait_log(r"backend b0 .* is back after an ejection of 2s; 3 of 3 usable")
        settle(stage.target, ["b0", "b1", "b2"])
        require(greetings(stage.target, 30)["b0"] > 0 and stage.penstock.log().count("EJECTED") == 1, "it is ejected although it is well")
    return body


def dead_backend(rig, case):
    """Connections that are refused count too, although the clients are served by another backend and notice nothing."""
    stage = Stage(rig, case)
    require(set(greetings(stage.target, 15)) == {"b1"}, "not every client was served")
    stage.penstock.wait_log(r"backend b0 .* is EJECTED for 10m: \d+ sessions in a row failed, the last: connection refused; 1 of 2 usable")
    wait_for(lambda: all(int(row["tries"]) == 1 for row in rig.access(15)[-1:]) if greetings(stage.target, 1) else False, "one try suffices")


def time_grows(rig, case):
    """The time doubles each time up to the maximum, and the first session after each return decides."""
    stage = Stage(rig, case)
    for number, text in enumerate(("100ms", "200ms", "400ms", "500ms", "500ms"), 1):
        fail_until(stage, rf"(?s)(is EJECTED.*){{{number}}}")
        found = re.findall(r"is EJECTED for (\w+):", stage.penstock.log())[-1]
        require(found == text, f"ejection {number} is for {found} instead of {text}")
        stage.penstock.wait_log(rf"(?s)(is back after.*){{{number}}}")


def flapping_backend(rig, case):
    """A backend that is broken and well in turns is ejected each time that it is broken, and takes sessions when it is well."""
    stage = Stage(rig, case)
    for number in range(1, 4):
        stage.backends[0].mode = "drop"
        fail_until(stage, rf"(?s)(is EJECTED.*){{{number}}}")
        stage.backends[0].mode = "greet"
        stage.penstock.wait_log(rf"(?s)(is back after.*){{{number}}}")
        settle(stage.target, ["b0", "b1"])
        require(not ejected(stage.penstock), "it is ejected although it is well")


def retry_of_an_ejected_backend(rig, case):
    """A backend that is ejected and well again serves sessions whose own backend fails, before its time is over."""
    stage = Stage(rig, case)
    fail_until(stage, r"backend b0 .* is EJECTED for 10m")
    stage.backends[0].mode = "greet"
    settle(stage.target, ["b1"])
    stage.backends[1].close()
    require(greetings(stage.target, 3) == {"b0": 3}, "a client was not served")
    require("is back" not in stage.penstock.log(), "the ejection was over")


def retry_of_a_backup(rig, case):
    """When all primaries have just died, a backup serves the clients before any probe has noticed."""
    stage = Stage(rig, case)
    require(set(greetings(stage.target, 4)) <= {"b0", "b1"}, "the backup was used")
    stage.backends[0].close()
    stage.backends[1].close()
    require(greetings(stage.target, 6) == {"b2": 6}, "a client was not served")


def share_of_pool(rig, case):
    """Of four backends that all fail, at most the share is ejected at a time; the log says once that another one stays in."""
    stage = Stage(rig, case)
    fail_until(stage, r"is not ejected: eject_share = 50% allows only 2 of 4 backends to be ejected; \d+ sessions in a row failed, the last: connection (closed|reset)")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try_session(stage.target)
        require(len(ejected(stage.penstock)) <= 2, f"ejected: {ejected(stage.penstock)}")
    for name in "b0", "b1", "b2", "b3":
        require(len(re.findall(rf"{name} .* is not ejected", stage.penstock.log())) <= 1, f"the log repeats that {name} is not ejected")


def only_backend(rig, case):
    """The only backend is never ejected, and serves again as soon as it is well."""
    stage = Stage(rig, case)
    fail_until(stage, r"backend b0 .* is not ejected: no other backend is usable; \d+ sessions in a row failed, the last: connection (closed|reset) before the first byte")
    require(not any(try_session(stage.target) for _ in range(20)), "a broken backend served a session")
    stage.backends[0].mode = "greet"
    require(greetings(stage.target, 3) == {"b0": 3}, "the backend is not used")
    require("EJECTED" not in stage.penstock.log(), "the only backend was ejected")


def blameless_backend(rig, case):
    """What is not the backend's fault does not count: a client that leaves before the answer, and an unused connection that the server closes after its
    keep-alive time. One failure would suffice here."""
    stage = Stage(rig, case)
    address = stage.backends[0].address
    for _ in range(3):
        client = connect(stage.target)
        client.sendall(b"?")
        wait_for(lambda: stage.backends[0].open_now == 1, "the session is connected")
        reset(client)
        wait_for(lambda: stage.backends[0].open_now == 0, "the session has ended")
    stage.backends[0].close()
    server = rig.keep(listen(address))
    client = connect(stage.target)
    accepted, _ = server.accept()
    holds_for(lambda: True, "the connection is not used", 1.2)
    accepted.close()
    require(client.recv(1) == b"", "the client did not get the end")
    client.close()
    rig.access(4)
    require("EJECTED" not in stage.penstock.log(), "a failure was counted")
    connect(stage.target).close()  # in order, without a byte
    accepted, _ = server.accept()
    require(accepted.recv(1) == b"", "the server did not get the end")
    accepted.close()
    rig.access(5)
    require("EJECTED" not in stage.penstock.log(), "a session without a byte was counted")
    with connect(stage.target) as client:  # the same server fails now
        client.sendall(b"?")
        accepted, _ = server.accept()
        require(accepted.recv(1) == b"?", "the byte did not arrive")  # a reset that comes earlier can end the attempt to connect
        reset(accepted)
        stage.penstock.wait_log(r"is EJECTED for 10m: 1 session failed, the last: connection reset before the first byte")


def out_of_descriptors(rig, case):
    """A lack of descriptors never ejects a backend, though many sessions fail to connect for it."""
    stage = Stage(rig, case)
    pid = stage.penstock.pid
    Crowd(stage.target, 2, 100).finish()
    stage.penstock.sessions_gone()
    highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 11, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
    crowd = rig.keep(Crowd(stage.target, 40, 3000, hold=True))
    crowd.run(lambda now: len(now.failed) > 0, 5)
    stage.penstock.wait_log(r"could not be made \(EMFILE\)")
    require("EJECTED" not in stage.penstock.log() and "not ejected" not in stage.penstock.log(), "the lack was counted as failures")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (5000, 5000) if os.getuid() else (20000, 20000))


def failure_hurries_probes(rig, case):
    """The first session that fails makes the next probe due at once, so that a killed server is down long before check_interval."""
    stage = Stage(rig, case)
    stage.penstock.wait_ready()
    greetings(stage.target, 4)
    stage.backends[0].close(kill=True)
    started = time.monotonic()
    greetings(stage.target, 2)
    stage.penstock.wait_log(r"backend b0 .* is DOWN: connection refused", 5)
    require(time.monotonic() - started < 5, "the probes were not hurried")
    settle(stage.target, ["b1"])


def restarted_backend(rig, case):
    """A server that was killed is back soon after its restart, although its ejection lasts for long: probes have failed and pass again."""
    stage = Stage(rig, case)
    greetings(stage.target, 4)
    stage.backends[0].close(kill=True)
    fail_or_serve = lambda: greetings(stage.target, 1) and stage.penstock.logged(r"backend b0 .* is EJECTED for 10m: \d+ sessions in a row failed")
    wait_for(fail_or_serve, "it is ejected")
    stage.backends[0] = rig.keep(Backend(stage.backends[0].address, "b0", "greet"))
    stage.penstock.wait_log(r"backend b0 .* is back \d+\.\d s after its ejection: its probes pass again; 2 of 2 usable")
    settle(stage.target, ["b0", "b1"])


def stopped_server(rig, case):
    """A server that was stopped by SIGSTOP, and ejected because it sent no first byte, is back soon after it continues, although its ejection lasts for long."""
    addresses = [("127.0.0.1", rig.ports.free()) for _ in range(2)]
    server = rig.keep(ServerProcess(addresses[0]))
    rig.keep(ModelServer(addresses[1], b"1"))
    target = ("127.0.0.1", rig.ports.free())
    penstock = rig.launch(rig.ini(["%s:%d" % address for address in addresses], ["%s:%d" % target], pool=case.pool))
    penstock.wait_ready()
    wait_for(lambda: {try_session(target), try_session(target)} == {".", "1"}, "both serve")
    server.signal(signal.SIGSTOP)
    wait_for(lambda: try_session(target) and penstock.logged(r"backend b0 .* is EJECTED for 10m: .* no first byte within first_byte_timeout"), "it is ejected")
    wait_for(lambda: {try_session(target), try_session(target)} == {"1"}, "the other serves all")
    server.signal(signal.SIGCONT)
    penstock.wait_log(r"backend b0 .* is back \d+\.\d s after its ejection: its probes pass again; 2 of 2 usable")
    wait_for(lambda: {try_session(target), try_session(target)} == {".", "1"}, "both serve again")
    require(penstock.log().count("EJECTED") == 1, "it was ejected again although it is well")


def probes_that_see_nothing(rig, case):
    """A server that resets every session is not brought back by probes that it passes."""
    stage = Stage(rig, case)
    fail_until(stage, r"backend b0 .* is EJECTED for 10m")
    holds_for(lambda: ejected(stage.penstock) == {"b0"}, "the backend is ejected", 1.5)


ROUND = {"balance": "round_robin", "eject_time": LONG}
# A probe in flight began at most 110 ms after the server was stopped, so it has waited for half of first_byte_timeout when that ejects the server.
SILENT = {**ROUND, "check": "http", "check_interval": "100ms", "fall": 100, "first_byte_timeout": "600ms", "eject_after": 1}
CASES = (
    Case("eject-backend-that-resets", broken_backend("").__doc__, body=broken_backend("connection reset"), backends=("reset", "greet", "greet"), ways=ENGINES,
         pool={**ROUND, "eject_time": "2s"}),
    Case("eject-backend-that-closes", broken_backend("").__doc__, body=broken_backend("connection closed"), backends=("hang-up", "greet", "greet"),
         ways=ENGINES, pool={**ROUND, "eject_time": "2s"}),
    Case("eject-dead-backend", dead_backend.__doc__, body=dead_backend, backends=("dead", "greet"), ways=ENGINES, pool=ROUND),
    Case("eject-time-grows", time_grows.__doc__, body=time_grows, backends=("drop", "greet"), ways=ENGINES,
         pool={**ROUND, "eject_time": "100ms", "eject_time_max": "500ms", "eject_after": 1}),
    Case("eject-flapping-backend", flapping_backend.__doc__, body=flapping_backend, backends=("drop", "greet"), ways=ENGINES,
         pool={**ROUND, "eject_time": "300ms"}),
    Case("retry-ejected-backend", retry_of_an_ejected_backend.__doc__, body=retry_of_an_ejected_backend, backends=("drop", "greet"), ways=ENGINES,
         pool=ROUND),
    Case("retry-backup", retry_of_a_backup.__doc__, body=retry_of_a_backup, backends=("greet", "greet", ("greet", "backup")), ways=ENGINES,
         pool={**ROUND, "eject_after": "off"}),
    Case("eject-share", share_of_pool.__doc__, body=share_of_pool, backends=("drop",) * 4, ways=ENGINES, pool={**ROUND, "eject_time": "200ms"}),
    Case("eject-only-backend", only_backend.__doc__, body=only_backend, backends=("drop",), ways=ENGINES, pool=ROUND),
    Case("eject-blameless-backend", blameless_backend.__doc__, body=blameless_backend, backends=("sink", ("greet", "backup")),
         ways=ENGINES, pool={**ROUND, "eject_after": 1}),
    Case("eject-not-for-lack-of-descriptors", out_of_descriptors.__doc__, body=out_of_descriptors, backends=("echo", "echo"), ways=ENGINES,
         pool={**ROUND, "eject_after": 1}, seconds=60),
    Case("eject-failure-hurries-probes", failure_hurries_probes.__doc__, body=failure_hurries_probes, backends=("greet", "greet"), ways=ENGINES,
         pool={**CHECKED, **ROUND, "check_interval": LONG, "eject_after": "off"}),
    Case("eject-restarted-backend", restarted_backend.__doc__, body=restarted_backend, backends=("greet", "greet"), ways=ENGINES,
         pool={**CHECKED, **ROUND, "fall": 100}),
    Case("eject-stopped-server", stopped_server.__doc__, body=stopped_server, ways=ENGINES, pool={**SILENT, "check_timeout": "60s"}),
    Case("eject-stopped-server-timeout", "The same when probes time out before it continues.", body=stopped_server, ways=ENGINES,
         pool={**SILENT, "check_timeout": "100ms"}),
    Case("eject-in-spite-of-probes", probes_that_see_nothing.__doc__, body=probes_that_see_nothing, backends=("hang-up", "greet"), ways=ONCE,
         pool={**CHECKED, **ROUND}),
)
