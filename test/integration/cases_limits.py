"""Running out: of descriptors, of allowed connections, of pipe memory. Clients wait and are served later; nothing spins."""
import os
import re
import resource
import time
from pathlib import Path

import sandbox
from backends import Crowd
from bench import Load, Server
from case import EACH, ENGINES, SPLICED, Case, Stage
from rig import Skip, require, wait_for


def serve_in_turns(crowd, batch):
    """Clients that are served leave, a few at a time, until every one has been served."""
    while crowd.waiting:
        held = sum(sock is not None for sock in crowd.done)
        if held:
            crowd.release(min(batch, held))
        before = len(crowd.done)
        moved = crowd.run(lambda now: len(now.done) > before or now.failed or not now.waiting, 10)
        require(not crowd.failed, f"{len(crowd.failed)} clients failed, the first: {crowd.failed[:1]}")
        require(moved, f"{len(crowd.waiting)} clients still wait although others left")


def connection_limit(rig, case):
    """Clients over max_connections wait in the backlog, unharmed, and are served as others leave; both workers notice."""
    stage = Stage(rig, case)
    crowd = rig.keep(Crowd(stage.target, 24, 1000, hold=True))
    wait_for(lambda: crowd.run(lambda now: len(now.done) >= 10, 5), "10 clients are served")
    crowd.run(lambda now: False, 0.4)
    require(len(crowd.done) == 10, f"{len(crowd.done)} clients are served at once, the limit is 10")
    require(stage.backends[0].open_max <= 10, f"the backend saw {stage.backends[0].open_max} at once")
    stage.penstock.must_rest(0.15, "penstock spins at its limit", 0.5)
    serve_in_turns(crowd, 3)
    require(stage.backends[0].open_max <= 10, f"the backend saw {stage.backends[0].open_max} at once")


def out_of_descriptors(rig, case):
    """The descriptor limit is reached: clients queue, the CPU rests, and all are served as others leave.

    One that is accepted with the last descriptor waits for another for as long as connecting may take: long here."""
    stage = Stage(rig, case)
    pid = stage.penstock.pid
    Crowd(stage.target, 2, 100).finish()
    stage.penstock.sessions_gone()
    highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 21, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
    crowd = rig.keep(Crowd(stage.target, 40, 3000, hold=True))
    crowd.run(lambda now: False, 0.7)
    require(0 < len(crowd.done) < 40, f"{len(crowd.done)} of 40 clients are served with 20 descriptors")
    stage.penstock.must_rest(0.25, "penstock spins without descriptors")
    serve_in_turns(crowd, 2)


def descriptor_table(rig, case):
    """The table has room for all connections from the start: to let it grow under load stops everything for milliseconds."""
    stage = Stage(rig, case)
    size = int(re.search(r"^FDSize:\s+(\d+)", Path(f"/proc/{stage.penstock.pid}/status").read_text(), re.M)[1])
    require(size >= 2 * 1500, f"room for {size} descriptors, with 1500 connections allowed")
    require(len(os.listdir(f"/proc/{stage.penstock.pid}/fd")) < 100, "descriptors were left open")


def many_pipes_as_user(rig, case):
    """300 sessions spliced both ways at once as an ordinary user, whom the kernel gives memory for 160 pipes: no byte is lost."""
    if os.getuid() and resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4000:
        raise Skip("needs a descriptor limit of 4000")
    stage = Stage(rig, case, user=sandbox.NOBODY)
    crowd = rig.keep(Crowd(stage.target, 300, 700001))
    crowd.finish(60)


def churn(rig, case):
    """5000 connections with one call each: no error."""
    servers = [rig.keep(Server(rig, "rpc", rig.ports.free(), "--name", name)) for name in ("b0", "b1")]
    port = rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{server.port}" for server in servers], [f"127.0.0.1:{port}"]))
    count = 1500 if rig.sanitized else 5000
    load = rig.keep(Load(rig, port, "connect", "--connections", "16", "--requests", str(count), "--size", "128", "--timeout", "10s"))
    load.finish(case.seconds - 5)
    require(len(rig.access(count)) >= count, "sessions are missing in the access log")


CASES = (
    Case("global-connection-limit", connection_limit.__doc__, body=connection_limit, backends=("echo",), ways=ENGINES,
         glob={"max_connections": 10}),
    Case("listener-connection-limit", connection_limit.__doc__, body=connection_limit, backends=("echo",), ways=ENGINES,
         listener={"max_connections": 10}),
    Case("out-of-descriptors", out_of_descriptors.__doc__, body=out_of_descriptors, backends=("echo",), ways=EACH, seconds=60,
         pool={"connect_timeout": "30s"}),
    Case("descriptor-table", descriptor_table.__doc__, body=descriptor_table, backends=("echo",), ways=ENGINES, glob={"max_connections": 1500}),
    Case("300-spliced-sessions-as-ordinary-user", many_pipes_as_user.__doc__, body=many_pipes_as_user, backends=("echo",),
         ways=SPLICED, seconds=90),
    Case("churn-5000", churn.__doc__, body=churn, ways=ENGINES, seconds=60),
)
