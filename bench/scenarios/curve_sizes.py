"""Message size against CPU: where does splicing begin to cost less than copying, and does Penstock find the place by itself?"""
from echoes import closed_loop
from rows import Contender, Curve

LINES = [Contender("copy", "penstock", pool=("splice = never",)), Contender("splice", "penstock", pool=("splice = always",)),
         Contender("auto", "penstock"), Contender("haproxy", "haproxy"), Contender("nginx", "nginx")]

CURVES = [Curve("sizes", "echo, 16 connections: CPU against message size", "bytes", (128, 1024, 4096, 16384, 20480, 65536, 262144), LINES,
                lambda rig, line, size: closed_loop(rig, line, size, 16),
                {"cpu_us": "CPU per request, us"}, seconds=0.2, standing=True, turns=3)]
