"""Cost against the number of open connections, all of them in use."""
from echoes import closed_loop
from rows import Contender, Curve

LINES = [Contender(kind, kind) for kind in ("penstock", "haproxy", "nginx")]

CURVES = [Curve("connections", "128 B echo, closed loop: CPU against open connections", "connections", (10, 100, 1000, 4000, 9000), LINES,
                lambda rig, line, count: closed_loop(rig, line, 128, count),
                {"cpu_us": "CPU per request, us"}, seconds=0.3, standing=True, turns=2)]
