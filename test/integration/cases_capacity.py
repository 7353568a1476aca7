"""How much a backend gets: its weight and limit while it starts slowly."""
from backends import Backend
from case import ENGINES, Case, Stage
from cases_balance import CHECKED, greetings
from rig import require, wait_for


def restart(stage, number):
    """Kills a backend, waits until it is down, and brings it back. Returns the Backend, once it is up."""
    stage.backends[number].close(kill=True)
    stage.penstock.wait_log(rf"b{number}\b.*\bdown")
    back = stage.rig.keep(Backend(stage.backends[number].address, f"b{number}", "greet"))
    stage.penstock.wait_log(rf"b{number}\b.*\bup\b")
    return back


def slow_start(rig, case):
    """At the start, backends have their whole weight and limit at once. One that comes back gets a tenth at first, and its whole share in the end."""
    stage = Stage(rig, case)
    require(greetings(stage.target, 20) == {"b0": 10, "b1": 10}, "the start of Penstock was a slow start")
    restart(stage, 1)
    stage.penstock.wait_log(r"b1\b.*is UP after 2 good probes, slow start for 1h; 2 of 2 usable")
    wait_for(lambda: greetings(stage.target, 11)["b1"] == 1, "the backend gets one of eleven sessions")
    require(greetings(stage.target, 110) == {"b0": 100, "b1": 10}, "not in proportion to the weights")
    names, held = greetings(stage.target, 60, hold=True)
    require(names == {"b0": 58, "b1": 2}, f"more sessions than a tenth of max_connections: {names}")
    for caller in held:
        caller.close()


def slow_start_ends(rig, case):
    """In the end, a backend that started slowly has its whole share."""
    stage = Stage(rig, case)
    restart(stage, 1)
    wait_for(lambda: greetings(stage.target, 20) == {"b0": 10, "b1": 10}, "the backend gets its whole share")


CASES = (
    Case("slow-start", slow_start.__doc__, body=slow_start, backends=("greet", ("greet", "max_connections=20")), ways=ENGINES,
         pool={**CHECKED, "balance": "round_robin", "slow_start": "1h"}),
    Case("slow-start-ends", slow_start_ends.__doc__, body=slow_start_ends, backends=("greet", "greet"), ways=ENGINES,
         pool={**CHECKED, "balance": "round_robin", "slow_start": "1s"}),
)
