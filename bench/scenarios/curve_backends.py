"""Cost against the number of backends, for each selector: a connection is picked for, made, used once and closed."""
import load
from echoes import measured_at
from proxies import Proxy, Settings
from rows import Contender, Curve

SELECTORS = ("round_robin", "least_conn", "random", "consistent_hash")


def measure(rig, line, count):
    server = load.Server(rig.programs, "rpc", "0.0.0.0")
    try:
        port = server.address[1]
        backends = [(f"127.0.{index // 250}.{index % 250 + 1}", port) for index in range(count)]
        proxy = Proxy(line.kind, Settings(backends, **line.settings), rig.programs)
        try:
            return measured_at(rig, proxy, rig.seconds, "--work", "connect", "--size", "128", "--connections", "16")
        finally:
            proxy.stop()
    finally:
        server.stop()


CURVES = [Curve("backends", "one RPC per connection: CPU against number of backends", "backends", (1, 10, 100, 1000, 10000),
                [Contender(name, "penstock", balance=name) for name in SELECTORS], measure, {"cpu_us": "CPU per connection, us"})]
