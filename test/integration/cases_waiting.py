"""How a worker waits for events: busy-polling (busy_poll) or sleeping. No byte is lost or held back, and an idle worker costs no CPU time."""
import time

from bench import Load, Server
from case import ENGINES, Case, Stage
from peers import Caller
from rig import require


def busy_poll(rig, case):
    """With busy_poll, a worker serves a single request-response client, sleeps when nothing arrives, and logs at its end how long it has polled."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    for _ in range(400):
        caller.call()
    stage.penstock.must_rest(0.1, "penstock burns CPU while nothing comes")
    caller.call()
    caller.close()
    stage.penstock.sessions_gone()
    stage.penstock.stop()
    require(stage.penstock.logged(r"worker \d: busy_poll: polled \d+ times, [\d.]+ s in all"), "the log does not say what busy_poll cost")


def many_then_one(rig, case):
    """Many clients at once, and then a single one, receive all bytes correctly, and no byte is held back."""
    server = rig.keep(Server(rig, "echo", rig.ports.free()))
    port = rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{server.port}"], [f"127.0.0.1:{port}"], glob={"workers": 1}))
    rig.keep(Load(rig, port, "rpc", "--connections", "200", "--size", "300", "--duration", "1s", "--timeout", "10s")).finish(case.seconds - 10)
    caller = rig.keep(Caller(("127.0.0.1", port)))
    for _ in range(100):
        caller.call()
    caller.close()


CASES = (
    Case("busy-poll-auto", busy_poll.__doc__, body=busy_poll, backends=("echo",), ways=ENGINES, glob={"busy_poll": "auto"}),
    Case("busy-poll-fixed", busy_poll.__doc__, body=busy_poll, backends=("echo",), ways=ENGINES, glob={"busy_poll": "50us"}),
    Case("many-clients-then-one", many_then_one.__doc__, body=many_then_one, ways=ENGINES),
)
