"""TCP health checks: connections that end at once, and answers that are expected."""
from case import ENGINES, ONCE, Case, Stage
from cases_balance import CHECKED, greetings, settle
from peers import Servers, reset
from rig import require


class Answerers(Servers):
    """The servers at which the backends of a case are probed. rules[i] is what server i does with a connection: "close" it or "reset" it at once, be "silent"
    until the client leaves, or wait for a request and send these bytes; a list of bytes is sent in pieces. Clients are counted in ended[i] by how they leave."""

    def __init__(self, rig, *rules):
        self.rules, self.heard, self.ended = list(rules), [set() for _ in rules], [{"end": 0, "reset": 0} for _ in rules]
        super().__init__(rig, len(rules))

    def _serve(self, connection, number):
        rule = self.rules[number]
        with connection:
            if rule == "reset":
                reset(connection)
            elif rule != "close":
                try:
                    if rule != "silent":
                        self.heard[number].add(connection.recv(1000))
                        for piece in rule if isinstance(rule, list) else [rule]:
                            connection.sendall(piece)
                    while connection.recv(1000):
                        pass
                    self.ended[number]["end"] += 1
                except OSError:
                    self.ended[number]["reset"] += 1

    def stage(self, rig, case):
        return Stage(rig, Case(**{**vars(case), "backends": tuple(("greet", f"check_port={port}") for port in self.ports)}))


def ends_at_once(rig, case):
    """A server that accepts and then closes or resets, as a port mapper without its server does, is down. One that says nothing is up, and sees no reset."""
    servers = Answerers(rig, "silent", "close", "reset")
    stage = servers.stage(rig, case)
    stage.penstock.wait_log(r"backend b1 .* is down: closed the connection at once \(")
    stage.penstock.wait_log(r"backend b2 .* is down: reset the connection at once \(")
    settle(stage.target, ["b0"])
    require(greetings(stage.target, 6) == {"b0": 6}, "a session went to a backend that is not there")
    servers.rules[1] = servers.rules[2] = "silent"
    stage.penstock.wait_log(r"backend b1 .* is up ")
    stage.penstock.wait_log(r"backend b2 .* is up ")
    require(not stage.penstock.logged("backend b0 "), "the state of b0 has changed")
    require(all(server["end"] > 0 and server["reset"] == 0 for server in servers.ended), f"probes left as {servers.ended}")


def expected_answer(rig, case):
    """With check_send and check_expect, a wrong answer, an end and no answer are told apart; an answer in pieces is put together."""
    right = [b"+", b"PO", b"NG\r\n"]
    servers = Answerers(rig, right, b"-LOADING Redis is loading\r\n", b"", "close")
    stage = servers.stage(rig, case)
    expect = case.pool["check_expect"]
    stage.penstock.wait_log(rf'backend b1 .* is down: expected .*, got "-LOADING Redis is loading\\r\\n" \(')
    stage.penstock.wait_log(r"backend b2 .* is down: no answer within 300ms")
    stage.penstock.wait_log(r"backend b3 .* is down: (closed|reset) the connection without an answer \(")
    require(f"expected {expect}, got" in stage.penstock.log(), "the log lacks what was expected")
    require(not stage.penstock.logged("backend b0 "), "the state of b0 has changed")
    require(servers.heard[0] == {b"PING\r\n"}, f"the server received {servers.heard[0]}")
    servers.rules[1:] = [right] * 3
    for number in 1, 2, 3:
        stage.penstock.wait_log(rf"backend b{number} .* is up ")
    require(servers.ended[0]["reset"] == 0, "a probe was reset")


PROBED = {**CHECKED, "check": "tcp", "balance": "round_robin"}
CASES = (
    Case("tcp-check-ends-at-once", ends_at_once.__doc__, body=ends_at_once, ways=ENGINES, pool={**PROBED, "check_timeout": "1s"}),
    *(Case(f"tcp-check-{name}", expected_answer.__doc__, body=expected_answer, ways=ENGINES if name == "text" else ONCE,
           pool={**PROBED, "check_timeout": "300ms", "check_send": r"PING\r\n", "check_expect": expect})
      for name, expect in (("text", "+PONG"), ("regex", r"regex:^\+PONG\r\n$"))),
)
