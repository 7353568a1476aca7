"""One request per connection: what does a connection cost the proxy?"""
from echoes import standing
from rows import Bar, Row, usual


def row(name, title, connections, *bars):
    options = ("--work", "connect", "--size", "128", "--connections", str(connections))
    return Row(name, title, usual(), lambda rig, contender: standing(rig, contender, *options), list(bars), seconds=0.2, standing=True, times=4)


ROWS = [
    row("churn", "one RPC per connection, 16 at a time: CPU per connection", 16, Bar("cpu_us", 0.92, "us/conn"), Bar("rate", unit="1/s"), Bar("p99_us", unit="us")),
    row("churn-1", "one RPC per connection, one client: latency", 1, Bar("p50_us", unit="us"), Bar("cpu_us", unit="us/conn")),
]
