"""Small requests beside large transfers: are they made to wait?"""
import load
from echoes import Setup, milliseconds
from rows import Bar, Row, usual


def measure(rig, contender):
    with Setup(rig, contender) as setup:
        bulk = load.Load(rig.programs, setup.target, "--work", "bulk-both", "--connections", "4", "--bytes", "512M",
                         "--duration", milliseconds(rig.seconds + 0.5), "--timeout", "30s")
        try:
            result = setup.run("--work", "rpc", "--size", "128", "--connections", "64", "--warmup", "300ms", "--duration", milliseconds(rig.seconds))
        finally:
            bulk.process.terminate()  # it ends as if its time were over: what is underway is finished and checked
        moved = bulk.result()["bytes"]["received"]
        return {"p99_us": result["latency_ns"]["p99"] / 1e3, "p50_us": result["latency_ns"]["p50"] / 1e3, "rate": result["rate"], "bulk": moved}


ROWS = [Row("mixed", "64 RPC connections beside 4 bulk ones: RPC latency", usual(bulk=True), measure,
            [Bar("p99_us", 0.5, "us"), Bar("p50_us", unit="us"), Bar("rate", unit="1/s"), Bar("bulk", unit="GB", scale=1e9)])]
