"""Connections on which nothing happens: how much user-space memory does the proxy keep for each?"""
import load
from echoes import Setup
from rows import Bar, Row, usual

CONNECTIONS = 4000


def memory(rig, contender, connections):
    """Anonymous memory that `connections` add; the rest of the process is not theirs."""
    with Setup(rig, contender, mode="rpc") as setup:
        setup.run("--work", "rpc", "--connections", "8", "--duration", "100ms")  # what is allocated once is there then
        before = setup.proxy.anonymous_bytes()
        holding = load.Load(rig.programs, setup.target, "--work", "idle", "--connections", str(connections), "--duration", "1s", "--timeout", "20s")
        setup.proxy.wait_for_sockets(2 * connections)
        after = setup.proxy.anonymous_bytes()
        holding.result()
        return {"bytes": (after - before) / connections, "total": after}


ROWS = [Row("idle-4000", "4,000 idle connections: user-space memory of each", usual(), lambda rig, contender: memory(rig, contender, CONNECTIONS),
            [Bar("bytes", 0.25, "B"), Bar("bytes", unit="B", at_most=1024), Bar("total", unit="MiB", scale=1 << 20)])]
