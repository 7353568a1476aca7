"""1,000 backends that are probed every second: what that costs the health thread, and what it does to the latency of sessions beside it."""
import time

import load
from echoes import Setup, measured
from rows import Bar, Contender, Row

PROBED, CONNECTIONS, RATE = 1000, 64, 10000


def measure(rig, contender):
    """The health thread shares the one CPU of the proxy with the worker. Requests come at a fixed rate."""
    server = load.Server(rig.programs, "echo", "0.0.0.0")
    try:
        probed = [(f"127.0.{index // 250}.{index % 250 + 1}", server.address[1]) for index in range(contender.settings["probed"])]
        with Setup(rig, Contender(contender.name, contender.kind, probed=probed)) as setup:
            setup.run("--work", "rpc", "--size", "128", "--connections", "1", "--duration", "1s")  # each backend has been probed once
            health, began = setup.proxy.cpu_s("penstock-health"), time.monotonic()
            result = measured(setup, rig.seconds, "--work", "rpc", "--size", "128", "--connections", str(CONNECTIONS), "--rate", str(RATE))
            result["health_ms"] = (setup.proxy.cpu_s("penstock-health") - health) / (time.monotonic() - began) * 1e3
    finally:
        server.stop()
    return result


ROWS = [Row("probes-1000", "1,000 backends probed every second beside 10,000 requests a second: latency, CPU of the health thread per second",
            [Contender("probed", "penstock", probed=PROBED), Contender("unprobed", "penstock", probed=0)], measure,
            [Bar("p99_us", 1.15, "us", against="unprobed"), Bar("p50_us", 1.1, "us", against="unprobed"), Bar("health_ms", unit="ms/s")], seconds=2)]
