"""A case is a row of data. Most rows consist of two scripts, whose verbs are in peers.py. The others name a function."""
from dataclasses import dataclass, field
from typing import Callable, Optional

from backends import Backend
from peers import dialogue, listen
from rig import require

# The ways to run a case, as (engine, splice).
EACH = (("io_uring", "never"), ("io_uring", "always"), ("epoll", "never"), ("epoll", "always"))
ENGINES = (("io_uring", "auto"), ("epoll", "auto"))
SPLICED = (("io_uring", "always"), ("epoll", "always"))
DIAGONAL = (("io_uring", "always"), ("epoll", "never"))
ONCE = (("auto", "auto"),)


@dataclass(frozen=True)
class Case:
    name: str
    what: str                           # what the case proves
    client: tuple = ()                  # the client's script
    server: tuple = ()
    dialogues: tuple = ()               # instead of one client and server: pairs of their scripts; each pair is a connection, one after another
    body: Optional[Callable] = None     # instead of scripts: body(rig, case)
    backends: tuple = ("script",)       # a mode of backends.Backend, or "script"; "dead": nobody listens; or (mode, "weight=2") with options
    glob: dict = field(default_factory=dict)
    listener: dict = field(default_factory=dict)
    pool: dict = field(default_factory=dict)
    ends: tuple = ()                    # the end codes that sessions may have in the access log; empty: not checked
    ways: tuple = EACH
    seconds: float = 30.0

    def run(self, rig):
        if self.body:
            return self.body(rig, self)
        stage = Stage(rig, self)
        pairs = self.dialogues or ((self.client, self.server),)
        for number, (client, server) in enumerate(pairs):
            dialogue(stage.target, stage.scripted, client, server, key=number, seconds=self.seconds - 5)
        stage.expect_ends(len(pairs))
        return None


class Stage:
    """The backends of a case, and a penstock in front of them."""

    def __init__(self, rig, case, start=True, host="127.0.0.1", **launch):
        self.rig, self.case = rig, case
        self.scripted, self.backends, addresses = None, [], []
        for number, row in enumerate(case.backends):
            mode, options = row if isinstance(row, tuple) else (row, "")
            address = ("127.0.0.1", rig.ports.free())
            if mode == "script":
                self.scripted = rig.keep(listen(address))
            self.backends.append(rig.keep(Backend(address, f"b{number}", mode)) if mode not in ("script", "dead") else None)
            addresses.append((f"{address[0]}:{address[1]}", options))
        self.target = (host, rig.ports.free())
        self.ini = rig.ini(addresses, [f"[{host}]:{self.target[1]}" if ":" in host else f"{host}:{self.target[1]}"], case.glob, case.listener, case.pool)
        self.penstock = rig.launch(self.ini, **launch) if start else None

    def expect_ends(self, count):
        """Requires that the access log has `count` sessions, one line each, and that each ended as the case allows."""
        if self.case.ends:
            codes = [row.get("end") for row in self.rig.access(count)]
            require(len(codes) == count, f"{len(codes)} sessions in the access log instead of {count}")
            require(set(codes) <= set(self.case.ends), f"sessions ended {codes}, due was {self.case.ends}")
