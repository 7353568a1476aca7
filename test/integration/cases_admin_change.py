"""Changes while Penstock runs: what becomes of open sessions, of counts, and of the configuration."""
import random
import signal

from admin import Administered, Load
from case import ENGINES, Case
from peers import Caller
from rig import require, wait_for

BACKENDS = "/v1/pools/main/backends"
TURNS = {"balance": "round_robin"}
ONE = {"workers": 1}  # so that the turns are exact


def open_callers(rig, stage, count):
    """Opens sessions, and returns them by the backend that has greeted them."""
    callers = {}
    for key in range(count):
        caller = rig.keep(Caller(stage.target, key=key, greeted=True))
        callers.setdefault(caller.greeting, []).append(caller)
    return callers


def drain_with_deadline(rig, case):
    """A drain closes what is left after its own time, not after that of the pool, and no session of another backend."""
    stage = Administered(rig, case)
    callers = open_callers(rig, stage, 6)
    require(len(callers) == 2, f"sessions are at {list(callers)}")
    stage.done("PATCH", f"{BACKENDS}/b0", {"state": "drain", "drain_timeout": "1s"})
    for caller in callers["b0"]:
        caller.call()
    for caller in callers["b0"]:
        caller.ended()
    stage.wait_backend("b0", lambda row: row["sessions"] == 0, "it is empty")
    for caller in callers["b1"]:
        caller.call()
    require("b0" not in open_callers(rig, stage, 4), "a session came to a backend that drains")
    stage.done("PATCH", f"{BACKENDS}/b0", {"state": "ready", "drain_timeout": None})
    wait_for(lambda: "b0" in open_callers(rig, stage, 2), "it has sessions again")
    for caller in callers["b1"]:
        caller.call()


def remove_and_add(rig, case):
    """A backend that is removed and added again while a session is open still counts that session in its limit."""
    stage = Administered(rig, case)
    callers = open_callers(rig, stage, 2)
    caller = callers["b0"][0]
    address = "{}:{}".format(*stage.backends[0].address)
    stage.done("DELETE", f"{BACKENDS}/b0")
    caller.call()
    require("b0" not in open_callers(rig, stage, 4), "a session came to a backend that was removed")
    stage.done("POST", BACKENDS, {"name": "b0", "address": address, "max_connections": 1}, status=201)
    require(stage.backend("b0")["sessions"] == 1, f"after it was added again: {stage.backend('b0')}")
    require("b0" not in open_callers(rig, stage, 4), "a session came to a backend that is full")
    caller.call()
    caller.close()
    stage.wait_backend("b0", lambda row: row["sessions"] == 0, "its session has ended")
    wait_for(lambda: "b0" in open_callers(rig, stage, 2), "it has a place again")


def random_change(stage, chance, address):
    """Makes a change that may be refused. The backend b0 always stays, so that clients are served."""
    name = f"x{chance.randrange(4)}"
    kind = chance.choice(("add", "remove", "set", "set", "set"))
    if kind == "add":
        return stage.call("POST", BACKENDS, {"name": name, "address": address, "weight": chance.randint(0, 256), "backup": chance.random() < 0.3})[0]
    if kind == "remove":
        return stage.call("DELETE", f"{BACKENDS}/{name}")[0]
    options = {"weight": chance.choice((None, 0, chance.randint(1, 256))), "state": chance.choice(("ready", "drain", "maint")),
               "drain_timeout": chance.choice((None, "off", "20s")), "max_connections": chance.choice((None, "off", chance.randint(1, 9)))}
    return stage.call("PATCH", f"{BACKENDS}/{name}", {key: options[key] for key in chance.sample(sorted(options), 2)})[0]


def random_changes(rig, case):
    """After 100 random changes under load, the saved configuration starts a process that has the same one."""
    stage = Administered(rig, case)
    load = rig.keep(Load(stage.target))
    chance = random.Random(14)
    address = "{}:{}".format(*stage.backends[1].address)
    statuses = []
    while sum(status < 300 for status in statuses) < 100:
        statuses.append(random_change(stage, chance, address))
        require(statuses[-1] in (200, 201, 400, 404, 409), f"status {statuses[-1]}")
    require({200, 201, 400, 404, 409} <= set(statuses), f"only these outcomes: {set(statuses)}")
    load.more()
    load.finish()
    text = stage.get("/v1/config")

    def settings():
        return [{key: row[key] for key in ("name", "address", "backup", "weight", "max_connections")} for row in stage.get("/v1/pools")["pools"][0]["backends"]]

    wait_for(lambda: all(row["state"] != "leaving" for row in stage.get("/v1/pools")["pools"][0]["backends"]), "removed backends are gone")
    before = settings()
    stage.penstock.stop()
    rig.launch(rig.write("saved.ini", text))
    require(stage.get("/v1/config") == text, "the new process has another configuration")
    require(settings() == before, f"{settings()} instead of {before}")


def change_while_stopping(rig, case):
    """While Penstock drains, a change is refused, and the configuration can still be read."""
    stage = Administered(rig, case)
    caller = rig.keep(Caller(stage.target))
    caller.call()
    text = stage.get("/v1/config")
    stage.penstock.signal(signal.SIGTERM)
    stage.penstock.wait_log("accepting stops")
    stage.refused("PATCH", f"{BACKENDS}/b0", {"weight": 3}, 409, "Penstock is stopping and takes no more changes")
    require(stage.get("/v1/config") == text, "the configuration has changed")
    caller.call()
    caller.close()
    require(stage.penstock.wait_exit() == 0, "the stop has failed")


CASES = (
    Case("admin-change-drain", drain_with_deadline.__doc__, body=drain_with_deadline, backends=("greet", "greet"), glob=ONE, pool={**TURNS, "drain_timeout": "1h"},
         ways=ENGINES),
    Case("admin-change-remove-add", remove_and_add.__doc__, body=remove_and_add, backends=("greet", "greet"), glob=ONE, pool=TURNS, ways=ENGINES),
    Case("admin-change-random", random_changes.__doc__, body=random_changes, backends=("echo", "echo"), pool=TURNS, ways=ENGINES, seconds=60.0),
    Case("admin-change-while-stopping", change_while_stopping.__doc__, body=change_while_stopping, backends=("echo",), ways=ENGINES),
)
