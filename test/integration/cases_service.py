"""Who serves when few backends are usable, or none: panic_threshold, all_down, and backends that only timed out."""
import socket
from collections import Counter

from backends import Backend
from case import ENGINES, Case, Stage
from cases_balance import CHECKED, greetings, settle
from peers import listen
from rig import require, wait_for
from udp_stage import UdpStage


def checked_stage(rig, case, count):
    """Backends that serve, with a check_port of their own. Returns the stage, and the servers at these ports."""
    checks = [rig.keep(Backend(("127.0.0.1", rig.ports.free()), f"check{number}", "sink")) for number in range(count)]
    return Stage(rig, Case(**{**vars(case), "backends": tuple(("greet", f"check_port={check.address[1]}") for check in checks)})), checks


def panic(rig, case):
    """When fewer than panic_threshold of the backends are usable, all serve, whatever their health. One that drains does not."""
    stage, checks = checked_stage(rig, case, 4)
    checks[0].close()
    checks[1].close()
    settle(stage.target, ["b2", "b3"])
    require(not stage.penstock.logged("PANIC"), "half of the backends are usable, which is not less than half")
    checks[2].close()
    stage.penstock.wait_log(r"pool main: PANIC: 1 of 4 primaries usable, less than panic_threshold = 50%: all 4 take new sessions")
    require(greetings(stage.target, 8) == {"b0": 2, "b1": 2, "b2": 2, "b3": 2}, "not all backends serve")
    checks[3].close()
    stage.penstock.wait_log(r"b3\b.*\bdown.*; 0 of 4 usable")
    require(greetings(stage.target, 8) == {"b0": 2, "b1": 2, "b2": 2, "b3": 2}, "not all backends serve when none is usable")
    for number in 0, 1:
        rig.keep(Backend(checks[number].address, f"check{number}", "sink"))
    stage.penstock.wait_log(r"pool main: only usable primaries take new sessions again; 2 of 4 usable")
    require(greetings(stage.target, 8) == {"b0": 4, "b1": 4}, "a backend that is down serves after the panic")
    require(stage.penstock.log().count("PANIC") == 1, "the panic was logged more than once")


def fail_open(rig, case):
    """With all_down = fail_open, all backends serve while none is usable."""
    stage, checks = checked_stage(rig, case, 2)
    for check in checks:
        check.close()
    stage.penstock.wait_log(r"no backend is usable: all 2 take new sessions, whatever their health \(all_down = fail_open\)")
    require(greetings(stage.target, 4) == {"b0": 2, "b1": 2}, "not all backends serve")
    rig.keep(Backend(checks[1].address, "check1", "sink"))
    stage.penstock.wait_log(r"only usable primaries take new sessions again; 1 of 2 usable")
    require(greetings(stage.target, 4) == {"b1": 4}, "a backend that is down serves")


def timed_out(rig, case):
    """Backends that only timed out still serve if no other is usable, even with all_down = fail_closed. One that refuses its probes does not."""
    silent = [rig.keep(listen(("127.0.0.1", rig.ports.free()), seconds=None)) for _ in range(2)]
    ports = [sock.getsockname()[1] for sock in silent] + [rig.ports.free()]
    stage = Stage(rig, Case(**{**vars(case), "backends": tuple(("greet", f"check_port={port}") for port in ports)}))
    for name in "b0", "b1", "b2":
        stage.penstock.wait_log(rf"{name}\b.*\bdown")
    stage.penstock.wait_log(r"no backend is usable: those whose probes only timed out take new sessions \(2\)")
    require(greetings(stage.target, 6) == {"b0": 3, "b1": 3}, "the backends that only timed out do not serve")
    for sock in silent:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()  # now probes are refused
    stage.penstock.wait_log(r"no backend is usable: new connections are reset")


def udp_flows_stay(rig, case):
    """A UDP flow stays with its backend while that serves whatever its health, and new flows begin."""
    stage = UdpStage(rig, case, 2)  # nobody listens on TCP
    stage.penstock.wait_log(r"no backend is usable: all 2 take new sessions")
    clients = [stage.client() for _ in range(8)]
    first = []
    wait_for(lambda: first.append(clients[0].who()) is None, "a datagram is answered")
    first = [client.who() for client in clients]
    for _ in range(20):
        require([client.who() for client in clients] == first, "a flow has moved")
    require(set(Counter(first)) == {"b0", "b1"}, f"served by {first}")
    require(len(rig.access()) == 0, "a flow has ended")


FAST = {**CHECKED, "balance": "round_robin"}
CASES = (
    Case("panic-threshold", panic.__doc__, body=panic, ways=ENGINES, pool={**FAST, "panic_threshold": "50%"}),
    Case("all-down-fail-open", fail_open.__doc__, body=fail_open, ways=ENGINES, pool={**FAST, "all_down": "fail_open"}),
    Case("timeouts-alone-keep-the-last", timed_out.__doc__, body=timed_out, ways=ENGINES,
         pool={**FAST, "check": "http", "check_timeout": "100ms"}),
    Case("udp-flows-stay-when-all-are-down", udp_flows_stay.__doc__, body=udp_flows_stay, ways=ENGINES,
         pool={**FAST, "all_down": "fail_open", "udp_idle_timeout": "8s"}),
)
