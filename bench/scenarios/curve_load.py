"""Latency against offered load, open loop: where does each begin to queue?"""
from echoes import opening_time, standing
from rows import Contender, Curve

CONNECTIONS = 128
LINES = [Contender(kind, kind) for kind in ("penstock", "haproxy", "nginx")]

CURVES = [Curve("load", "128 B echo, 128 connections: latency against offered load", "requests/s", (2000, 8000, 16000, 24000, 32000), LINES,
                lambda rig, line, rate: standing(rig, line, "--work", "rpc", "--size", "128", "--connections", str(CONNECTIONS), "--rate", str(rate),
                                                 opening=opening_time(CONNECTIONS)),
                {"p50_us": "p50, us", "p99_us": "p99, us", "cpu_us": "CPU per request, us"}, seconds=0.3, standing=True, turns=2)]
