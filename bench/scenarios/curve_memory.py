"""Memory against the number of idle connections."""
from idle import memory
from rows import Contender, Curve

LINES = [Contender(kind, kind) for kind in ("penstock", "haproxy", "nginx")]

CURVES = [Curve("memory", "idle connections: anonymous memory of the proxy", "connections", (100, 1000, 4000), LINES,
                lambda rig, line, count: {name: value / (1 << 20) for name, value in memory(rig, line, count).items()}, {"total": "MiB in all"})]
