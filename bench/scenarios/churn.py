"""One request per connection: what does a connection cost the proxy?"""
from echoes import standing
from rows import Bar, Row, usual

OPTIONS = ("--work", "connect", "--size", "128", "--connections", "16")

ROWS = [Row("churn", "one RPC per connection, 16 at a time: CPU per connection", usual(), lambda rig, contender: standing(rig, contender, *OPTIONS),
            [Bar("cpu_us", 0.92, "us/conn"), Bar("rate", unit="1/s"), Bar("p99_us", unit="us")], seconds=0.2, standing=True, times=4)]
