"""Agents, which say the weight, the limit and the state of their backends."""
import contextlib
import re
import socket

from case import ENGINES, ONCE, Case, Stage
from cases_balance import CHECKED, greetings, settle
from peers import Servers, reset
from rig import holds_for, require, wait_for


class Agents(Servers):
    """One agent for each backend. lines[i] is what agent i answers: bytes, a list of bytes for pieces, "reset", "endless", or None for nothing at all."""

    def __init__(self, rig, *lines):
        self.lines, self.heard, self.calls = list(lines), [set() for _ in lines], [0] * len(lines)
        super().__init__(rig, len(lines))

    def _serve(self, connection, number):
        line = self.lines[number]
        connection.settimeout(0.05)
        with connection, contextlib.suppress(OSError):
            with contextlib.suppress(socket.timeout):
                self.heard[number].add(connection.recv(100))
            connection.settimeout(20)
            self.calls[number] += 1
            if line == "reset":
                reset(connection)
            elif line == "endless":
                while True:
                    connection.sendall(b"up " * 1000)
            elif line is None:
                connection.recv(100)
            else:
                for piece in line if isinstance(line, list) else [line]:
                    connection.sendall(piece)

    def stage(self, rig, case):
        return Stage(rig, Case(**{**vars(case), "backends": tuple(("greet", f"agent_port={port}") for port in self.ports)}))

    def await_calls(self, number, count=3):
        """Waits until agent `number` has answered that many more calls."""
        after = self.calls[number] + count
        wait_for(lambda: self.calls[number] >= after, f"agent {number} is called")


def agent_states(rig, case):
    """An agent drains, stops and brings back its backend, and sets weight and limit. Each change is logged once. What it does not say stays."""
    agents = Agents(rig, b"up ready\n", [b"up 10", b"0%\r\nignored"])
    stage = agents.stage(rig, case)
    log = stage.penstock

    def says(line, pattern):
        before = len(log.log())
        agents.lines[1] = line
        wait_for(lambda: re.search(rf"backend b1 \S+: agent {pattern}", log.log()[before:]), f"the log says /{pattern}/")
    require(greetings(stage.target, 4) == {"b0": 2, "b1": 2}, "not both are used")
    says(b"drain\n", "says drain; 1 of 2 usable")
    settle(stage.target, ["b0"])
    agents.lines[1] = b"up\n"  # does not end the drain
    agents.await_calls(1)
    require(greetings(stage.target, 4) == {"b0": 4}, "a session went to a draining backend")
    says(b"ready\n", "says ready; 2 of 2 usable")
    settle(stage.target, ["b0", "b1"])
    says(b"down#no GPU\n", "says down: no GPU; 1 of 2 usable")
    settle(stage.target, ["b0"])
    agents.lines[1] = b"down#still no GPU\n"
    agents.await_calls(1)
    says(b"up", "says up; 2 of 2 usable")  # the end of the connection ends the line
    says(b"maint\n", "says maint; 1 of 2 usable")
    says(b"ready\n", "says ready; 2 of 2 usable")
    says(b"weight:3\n", "sets weight 3; 2 of 2 usable")
    wait_for(lambda: greetings(stage.target, 8) == {"b0": 2, "b1": 6}, "b1 gets three times as many sessions")
    says(b"0%\n", "sets weight 0%; 1 of 2 usable")
    settle(stage.target, ["b0"])
    says(b"100% maxconn:1\n", "sets max_connections 1; 2 of 2 usable")
    wait_for(lambda: greetings(stage.target, 4) == {"b0": 2, "b1": 2}, "b1 has its weight again")
    names, held = greetings(stage.target, 4, hold=True)
    require(names == {"b0": 3, "b1": 1}, f"the limit of b1 does not hold: {dict(names)}")
    for caller in held:
        caller.close()
    require(log.log().count("agent says down") == 1 and log.log().count("agent says drain") == 1, "a change is logged more than once")
    require(agents.heard[1] == {b"state?\n"}, f"the agent received {agents.heard[1]}")


def agent_fails(rig, case):
    """An agent that is gone, slow, or talks nonsense changes nothing: one line in the log, and one when it answers again."""
    agents = Agents(rig, b"up\n", b"drain\n")
    stage = agents.stage(rig, case)
    stage.penstock.wait_log(r"backend b1 \S+: agent says drain")
    settle(stage.target, ["b0"])
    for line, reason in ((b"HTTP/1.1 400 Bad Request\r\n", 'sends the unknown word "HTTP/1.1"'), ("reset", "reset the connection before the end of its line"),
                         (b"", "closed the connection without an answer"), ("endless", "sends a line of more than 1024 bytes"),
                         (None, "no line within 500ms")):
        before = len(stage.penstock.log())
        agents.lines[1] = line
        wait_for(lambda: f"agent of backend b1 (127.0.0.1:{agents.ports[1]}): {reason}; what it said before stays in force" in stage.penstock.log()[before:],
                 f"the log says {reason}")
        agents.await_calls(1, 1)
        require(greetings(stage.target, 3) == {"b0": 3}, "the drain has ended")
        agents.lines[1] = b"drain\n"
        wait_for(lambda: f"agent of backend b1 (127.0.0.1:{agents.ports[1]}) answers again after " in stage.penstock.log()[before:], "it answers again")
        require(stage.penstock.log()[before:].count("stays in force") == 1, "a failure is logged more than once")
    require("agent of backend b0" not in stage.penstock.log() and stage.penstock.log().count("agent says") == 1, "something else has changed")
    holds_for(stage.penstock.alive, "penstock runs", 0.2)


def agent_alone(rig, case):
    """check = agent: the agent at the backend's check_port alone decides. Nobody probes the backend."""
    agents = Agents(rig, b"up\n", b"stopped # for maintenance\n")
    stage = Stage(rig, Case(**{**vars(case), "backends": (("greet", f"check_port={agents.ports[0]}"), ("dead", f"check_port={agents.ports[1]}"))}))
    stage.penstock.wait_log(r"backend b1 \S+: agent says stopped: for maintenance; 1 of 2 usable")
    settle(stage.target, ["b0"])
    require(stage.backends[0].accepted <= 100 and " DOWN" not in stage.penstock.log(), "a backend was probed")


AGENT = {"agent_interval": "50ms", "check_timeout": "500ms", "balance": "round_robin"}
CASES = (
    Case("agent-states", agent_states.__doc__, body=agent_states, ways=ENGINES, pool={**CHECKED, **AGENT, "agent_send": r"state?\n"}),
    Case("agent-fails", agent_fails.__doc__, body=agent_fails, ways=ENGINES, pool={**CHECKED, **AGENT}),
    Case("agent-alone", agent_alone.__doc__, body=agent_alone, ways=ONCE, pool={**AGENT, "check": "agent"}),
)
