"""Latency against offered load, open loop: where does each begin to queue?"""
from echoes import requests
from rows import Contender, Curve

LINES = [Contender(kind, kind) for kind in ("penstock", "haproxy", "nginx")]

CURVES = [Curve("load", "128 B echo, 128 connections: latency against offered load", "requests/s", (2000, 8000, 16000, 24000, 32000), LINES,
                lambda rig, line, rate: requests(rig, line, 128, 128, rate), {"p50_us": "p50, us", "p99_us": "p99, us", "cpu_us": "CPU per request, us"})]
