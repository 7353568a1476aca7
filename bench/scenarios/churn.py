"""One request per connection: what does a connection cost the proxy?"""
from echoes import requests
from rows import Bar, Row, usual

ROWS = [Row("churn", "one RPC per connection, 16 at a time: CPU per connection", usual(),
            lambda rig, contender: requests(rig, contender, 128, 16, mode="rpc", work="connect"),
            [Bar("cpu_us", 0.92, "us/conn"), Bar("rate", unit="1/s"), Bar("p99_us", unit="us")])]
