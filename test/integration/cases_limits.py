"""Shortages: of descriptors, of allowed connections, of memory for pipes. Clients wait and are served later, and no thread spins."""
import os
import re
import resource
import selectors
import time
from pathlib import Path

import sandbox
from backends import Backend, Crowd
from bench import Load, Server
from case import EACH, ENGINES, SPLICED, Case, Stage
from peers import connect
from rig import Skip, require, wait_for


def serve_in_turns(crowd, batch):
    """Closes `batch` served clients at a time, until every client has been served."""
    while crowd.waiting:
        held = sum(sock is not None for sock in crowd.done)
        if held:
            crowd.release(min(batch, held))
        before = len(crowd.done)
        moved = crowd.run(lambda now: len(now.done) > before or now.failed or not now.waiting, 10)
        require(not crowd.failed, f"{len(crowd.failed)} clients failed, the first: {crowd.failed[:1]}")
        require(moved, f"{len(crowd.waiting)} clients still wait although others left")


def connection_limit(rig, case):
    """Clients above max_connections wait in the accept queue, and are served as others close. Both workers notice free places."""
    stage = Stage(rig, case)
    crowd = rig.keep(Crowd(stage.target, 24, 1000, hold=True))
    wait_for(lambda: crowd.run(lambda now: len(now.done) >= 10, 5), "10 clients are served")
    crowd.run(lambda now: False, 0.4)
    require(len(crowd.done) == 10, f"{len(crowd.done)} clients are served at once, the limit is 10")
    require(stage.backends[0].open_max <= 10, f"the backend saw {stage.backends[0].open_max} at once")
    stage.penstock.must_rest(0.15, "penstock spins at its limit", 0.5)
    serve_in_turns(crowd, 3)
    require(stage.backends[0].open_max <= 10, f"the backend saw {stage.backends[0].open_max} at once")


class Queue:
    """Clients of an echo backend, of which one is served at a time. They arrive further apart than the kernel's tick, so that their order is known."""

    APART = 0.02

    def __init__(self, penstock, targets):
        self.penstock, self.targets, self.selector, self.served, self.came = penstock, targets, selectors.DefaultSelector(), [], 0

    def join(self):
        sock = connect(self.targets[self.came % len(self.targets)])
        self.selector.register(sock, selectors.EVENT_READ, self.came)
        self.came += 1
        sock.send(b"?")
        self.penstock.wait_workers()  # a worker that runs late would take its client for one that came later
        time.sleep(self.APART)

    def serve(self):
        """Waits until a client is served, and closes it."""
        ready = self.selector.select(10)
        require(len(ready) == 1, f"{len(ready)} clients are served after {len(self.served)} of {self.came}, one is due")
        key, _ = ready[0]
        require(key.fileobj.recv(1) == b"?", f"client {key.data} was turned away")
        self.served.append(key.data)
        self.selector.unregister(key.fileobj)
        key.fileobj.close()

    def overtaken(self):
        """Returns the maximum number of clients that came after a client and were served before it."""
        return max(sum(other > number for other in self.served[:at]) for at, number in enumerate(self.served))

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def in_turn(*kinds):  # the kind of each address of the listener
    def body(rig, case):
        """With one place for all workers, the client that has waited longest is next, whichever worker and address it came to, as far as times are known."""
        backend = rig.keep(Backend(("127.0.0.1", rig.ports.free()), "b0", "echo"))
        fronts = [rig.path(f"front{number}.sock") if kind == "unix" else ("127.0.0.1", rig.ports.free()) for number, kind in enumerate(kinds)]
        binds = [f"unix:{front}" if isinstance(front, str) else f"{front[0]}:{front[1]}" for front in fronts]
        penstock = rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], binds, case.glob, case.listener))
        queue = rig.keep(Queue(penstock, fronts))
        for _ in range(24):
            queue.join()
        for _ in range(24):  # further clients come while these are served
            queue.serve()
            queue.join()
        while len(queue.served) < queue.came:
            queue.serve()
        # On TCP, the first client of each other queue may once count as having waited as long as the client before it. A UNIX socket has one queue for all.
        queues = len(kinds) * case.glob["workers"] if "tcp" in kinds else 1
        require(queue.overtaken() < queues, f"a client was overtaken by {queue.overtaken()} in {queues} queues: {queue.served}")
    return body


def out_of_descriptors(rig, case):
    """At the descriptor limit, clients wait in the queue without costing CPU time, and all are served as others close.

    A client that is accepted with the last descriptor waits for a second one for up to connect_timeout, which is long here."""
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
    """The descriptor table has space for all connections from the start, because growing it under load stops all threads for milliseconds."""
    stage = Stage(rig, case)
    size = int(re.search(r"^FDSize:\s+(\d+)", Path(f"/proc/{stage.penstock.pid}/status").read_text(), re.M)[1])
    require(size >= 2 * 1500, f"room for {size} descriptors, with 1500 connections allowed")
    require(len(os.listdir(f"/proc/{stage.penstock.pid}/fd")) < 100, "descriptors were left open")


def many_pipes_as_user(rig, case):
    """300 sessions are spliced in both directions at once, as an unprivileged user, whose memory for pipes suffices for 160. No byte is lost."""
    if os.getuid() and resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4000:
        raise Skip("needs a descriptor limit of 4000")
    stage = Stage(rig, case, user=sandbox.NOBODY)
    crowd = rig.keep(Crowd(stage.target, 300, 700001))
    crowd.finish(60)


def churn(rig, case):
    """5000 connections with one call each cause no error."""
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
    *(Case(f"in-turn-{name}", in_turn().__doc__, body=in_turn(*kinds), ways=ENGINES, glob={"workers": workers, **glob}, listener=listener)
      for name, kinds, workers, glob, listener in (
          ("process-limit-2-workers", ("tcp",), 2, {"max_connections": 1}, {}),
          ("process-limit-4-workers", ("tcp",), 4, {"max_connections": 1}, {}),
          ("process-limit-2-addresses", ("tcp", "tcp"), 2, {"max_connections": 1}, {}),
          ("listener-limit-4-workers", ("tcp",), 4, {}, {"max_connections": 1}),
          ("both-limits", ("tcp",), 3, {"max_connections": 1}, {"max_connections": 1}),
          ("unix-listener-limit", ("unix",), 4, {}, {"max_connections": 1}),
          ("unix-process-limit", ("unix",), 4, {"max_connections": 1}, {}))),
    Case("out-of-descriptors", out_of_descriptors.__doc__, body=out_of_descriptors, backends=("echo",), ways=EACH, seconds=60,
         pool={"connect_timeout": "30s"}),
    Case("descriptor-table", descriptor_table.__doc__, body=descriptor_table, backends=("echo",), ways=ENGINES, glob={"max_connections": 1500}),
    Case("300-spliced-sessions-as-ordinary-user", many_pipes_as_user.__doc__, body=many_pipes_as_user, backends=("echo",),
         ways=SPLICED, seconds=90),
    Case("churn-5000", churn.__doc__, body=churn, ways=ENGINES, seconds=60),
)
