"""Requests that come at a fixed rate whatever the answers do: latency, counted from the moment at which each was due."""
import contextlib

from echoes import requests, standing
from rows import Bar, Contender, Row, usual

CONNECTIONS, SHARE = 512, 0.7


def rate(rig):
    """70 % of what the slower peer does at most; found once a run."""
    if "open-loop-rate" not in rig.found:
        rig.found["open-loop-rate"] = SHARE * min(requests(rig, Contender(kind, kind), 128, CONNECTIONS)["rate"] for kind in rig.peers)
        print(f"    {rig.found['open-loop-rate']:.0f} requests a second are {SHARE:.0%} of the slower peer's best")
    return rig.found["open-loop-rate"]


@contextlib.contextmanager
def at_that_rate(rig, contender):
    """The connections are open when measuring begins: that 512 clients come at once is another question. The CPU time of their coming is in none of the figures."""
    options = ("--work", "rpc", "--size", "128", "--connections", str(CONNECTIONS), "--rate", str(int(rate(rig))), "--warmup", "300ms")
    with standing(rig, contender, *options) as once:
        yield lambda: {name: value for name, value in once().items() if not name.startswith("cpu_")}


ROWS = [Row("open-512", "128 B echo at a fixed rate, 512 connections: latency", usual(), at_that_rate,
            [Bar("p99_us", 0.8, "us"), Bar("p999_us", 0.8, "us"), Bar("p50_us", unit="us")], seconds=1, standing=True, times=2)]
