"""The life cycle of backends: drains, maintenance, and sessions that are closed because their backend is down or no longer needed."""
import re
import subprocess
import time
from collections import Counter
from datetime import datetime

from backends import Backend
from case import ENGINES, Case, Stage
from cases_balance import CHECKED, greetings, settle
from peers import Caller
from rig import holds_for, require, wait_for
from udp_stage import UdpStage

RATE = 20


def probed(rig, number):
    """Returns something to probe: closing it makes a backend seem to be down, although it serves."""
    return rig.keep(Backend(("127.0.0.1", rig.ports.free()), f"check{number}", "sink"))


def stage_with(rig, case, rows):
    return Stage(rig, Case(**{**vars(case), "backends": tuple(("greet", options) for options in rows)}))


def check_rate(rows):
    """Requires that the sessions of the access log ended at close_rate, and not more slowly than half of that."""
    times = sorted(datetime.fromisoformat(row["at"]).timestamp() for row in rows)
    for first in range(len(times)):
        for last in range(first, len(times)):
            most = RATE * (times[last] - times[first] + 0.1 + 0.02) + 1  # the log rounds to milliseconds
            require(last - first + 1 <= most, f"{last - first + 1} sessions ended within {times[last] - times[first]:.3f} s")
    took = times[-1] - times[0]
    require(took < 2 * len(times) / RATE, f"{len(times)} sessions took {took:.2f} s")


def timed_access(rig, count, code):
    """Returns the sessions that ended with this code, each with its time `at`, after waiting for `count` of them."""
    def rows():
        lines = open(rig.access_path).read().splitlines()
        return [{"at": line.split()[0].rstrip("Z"), **dict(re.findall(r'(\w+)=("[^"]*"|\S*)', line))} for line in lines if f" end={code} " in line]
    wait_for(lambda: len(rows()) >= count, f"{count} sessions have ended with {code}")
    return rows()


def on_down_close(rig, case):
    """on_down = close: the sessions of a backend that goes down are closed at close_rate, quiet ones with FIN. Those of other backends continue."""
    checks = [probed(rig, number) for number in range(2)]
    stage = stage_with(rig, case, [f"check_port={check.address[1]}" for check in checks])
    names, quiet = greetings(stage.target, 40, hold=True)
    require(names == {"b0": 20, "b1": 20}, f"spread {dict(names)}")
    time.sleep(2.1)  # what has been silent for two seconds counts as quiet
    names, busy = greetings(stage.target, 40, hold=True)
    require(names == {"b0": 20, "b1": 20}, f"spread {dict(names)}")
    checks[0].close()
    ended = Counter()
    for caller in [caller for caller in quiet if caller.greeting == "b0"]:
        ended[caller.ended()] += 1
    require(ended == {"fin": 20}, f"quiet sessions ended {dict(ended)}")
    for caller in [caller for caller in busy if caller.greeting == "b0"]:
        caller.ended()
    rows = timed_access(rig, 40, "DD")
    require(len(rows) == 40 and {row["backend"] for row in rows} == {"b0"}, f"{len(rows)} sessions were closed")
    check_rate(rows)
    stage.penstock.wait_log(r"backend b0 is down or in maintenance, and on_down = close: closing its 40 sessions, at most 20 a second")
    stage.penstock.wait_log(r"backend b0: 40 sessions were closed in ")
    for caller in quiet + busy:
        if caller.greeting == "b1":
            caller.call(1000)
        caller.close()


def reset_in_transit(rig, case):
    """A session that waits for its answer when its backend goes down is reset, also if the backend has been silent for long."""
    check = probed(rig, 0)
    stage = Stage(rig, Case(**{**vars(case), "backends": (("mute", f"check_port={check.address[1]}"),)}))
    caller = Caller(stage.target)
    caller.sock.sendall(b"question")
    time.sleep(2.1)
    check.close()
    require(caller.ended() == "reset", "a clean end looks like an empty answer")
    require(timed_access(rig, 1, "DD")[0]["bytes_in"] == "8", "not that session")


def moved_with_replay(rig, case):
    """With replay, a session that waits for its answer when its backend goes down gets it from another backend."""
    check = probed(rig, 0)
    stage = Stage(rig, Case(**{**vars(case), "backends": (("mute", f"check_port={check.address[1]}"), ("echo", f"check_port={probed(rig, 1).address[1]}"))}))
    callers = [Caller(stage.target, key=number) for number in range(2)]
    for caller in callers:
        caller.sock.sendall(b"question")
    wait_for(lambda: [backend.accepted for backend in stage.backends] == [1, 1], "each backend has a session")
    check.close()
    for caller in callers:
        require(caller.sock.recv(100) == b"question", "no answer")
        caller.close()
    rows = rig.access(2)
    require({row["backend"] for row in rows} == {"b1"} and {row["tries"] for row in rows} == {"1", "2"}, f"not moved: {rows}")


def on_failback_close(rig, case):
    """on_failback = close: when a primary is up again, the sessions of the backup are closed, and their clients come back to the primary."""
    address = ("127.0.0.1", rig.ports.free())
    stage = stage_with(rig, case, [f"check_port={address[1]}", "backup"])
    stage.penstock.wait_log(r"b0\b.*\bdown")
    settle(stage.target, ["b1"])
    names, held = greetings(stage.target, 10, hold=True)
    require(names == {"b1": 10}, f"served by {dict(names)}")
    rig.keep(Backend(address, "check", "sink"))
    for caller in held:
        caller.ended()
        caller.close()
    require(greetings(stage.target, 4) == {"b0": 4}, "a client did not come back to the primary")
    rows = timed_access(rig, 10, "UD")
    require(len(rows) == 10 and {row["backend"] for row in rows} == {"b1"}, f"{len(rows)} sessions were closed")
    check_rate(rows)
    stage.penstock.wait_log(r"backend b1 is a backup, another one is usable, and on_failback = close: closing its 10 sessions")


def on_failback_keep(rig, case):
    """By default, the sessions of the backup continue when a primary is up again."""
    address = ("127.0.0.1", rig.ports.free())
    stage = stage_with(rig, case, [f"check_port={address[1]}", "backup"])
    stage.penstock.wait_log(r"b0\b.*\bdown")
    settle(stage.target, ["b1"])
    held = greetings(stage.target, 4, hold=True)[1]
    rig.keep(Backend(address, "check", "sink"))
    stage.penstock.wait_log(r"b0\b.*\bup\b")
    settle(stage.target, ["b0"])
    holds_for(lambda: all(caller.silent(0) for caller in held), "sessions on the backup continue", 0.8)
    for caller in held:
        caller.call(1000)
        caller.close()


def states(rig, case):
    """state=drain and state=maint keep clients away from the start. The log and `penstock check` say so."""
    stage = Stage(rig, case)
    require(greetings(stage.target, 12) == {"b2": 12}, "a client was sent to a backend that drains or is in maintenance")
    stage.penstock.wait_log(r"backend b0 drains: 0 sessions are open; 1 of 3 usable")
    stage.penstock.wait_log(r"backend b1 is in maintenance: 0 sessions are open; 1 of 3 usable")
    shown = subprocess.run([rig.penstock, "check", "-c", stage.ini], capture_output=True, text=True, check=True).stdout
    require(re.search(r"b0 .*, state drain\n", shown) and re.search(r"b1 .*, state maint\n", shown), f"penstock check says {shown}")


def udp_failback(rig, case):
    """on_failback = close: a UDP flow on the backup moves to the primary with the next datagram after that is up again. No datagram is lost."""
    checks = [probed(rig, number) for number in range(2)]
    stage = UdpStage(rig, case, 2, start=False)
    rows = [(f"127.0.0.1:{port}", f"check_port={check.address[1]}") for port, check in zip(stage.ports, checks)]
    ini = rig.ini([rows[0], (rows[1][0], rows[1][1] + " backup")], [stage.text(stage.target)], {"log_level": "info"}, {"protocol": "udp"}, case.pool)
    stage.penstock = rig.launch(ini)
    checks[0].close()
    stage.penstock.wait_log(r"b0\b.*\bdown")
    wait_for(lambda: stage.client().who() == "b1", "the backup serves")
    clients = stage.several(5)
    require([client.who() for client in clients] == ["b1"] * 5, "not on the backup")
    rig.keep(Backend(checks[0].address, "check", "sink"))
    stage.penstock.wait_log(r"b0\b.*\bup\b")
    wait_for(lambda: stage.client().who() == "b0", "the primary serves")
    require([client.who() for client in clients] == ["b0"] * 5, "a flow has stayed on the backup")


CLOSING = {**CHECKED, "balance": "round_robin", "close_rate": RATE}
CASES = (
    Case("on-down-close", on_down_close.__doc__, body=on_down_close, ways=ENGINES, pool={**CLOSING, "on_down": "close"}),
    Case("on-down-close-in-transit", reset_in_transit.__doc__, body=reset_in_transit, ways=ENGINES, pool={**CLOSING, "on_down": "close"}),
    Case("on-down-close-with-replay", moved_with_replay.__doc__, body=moved_with_replay, ways=ENGINES,
         pool={**CLOSING, "on_down": "close", "replay": "64k"}),
    Case("on-failback-close", on_failback_close.__doc__, body=on_failback_close, ways=ENGINES, pool={**CLOSING, "on_failback": "close"}),
    Case("on-failback-keep", on_failback_keep.__doc__, body=on_failback_keep, ways=ENGINES, pool=CLOSING),
    Case("backend-states", states.__doc__, body=states, ways=ENGINES, backends=(("greet", "state=drain"), ("greet", "state=maint"), "greet"),
         pool={"balance": "round_robin"}),
    Case("udp-on-failback-close", udp_failback.__doc__, body=udp_failback, ways=ENGINES,
         pool={**CLOSING, "splice": None, "rise": 1, "fall": 1, "udp_idle_timeout": "3s", "on_failback": "close"}),
)
