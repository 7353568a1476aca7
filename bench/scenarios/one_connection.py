"""One client that asks and waits: how long does an answer take, and what does looking for events (busy_poll) cost when nothing comes?"""
import time

from echoes import Setup, measured
from rows import Bar, Contender, Row

IDLE_S = 0.5
ONE = ("--work", "rpc", "--size", "128", "--connections", "1")
SPINNING = Contender("penstock", "penstock", busy_poll=True)


def latency(rig, contender):
    with Setup(rig, contender) as setup:
        return measured(setup, rig.seconds, *ONE)


def idle(rig, contender):
    with Setup(rig, contender) as setup:
        setup.run(*ONE, "--duration", "200ms")
        before = setup.proxy.cpu_s()
        time.sleep(IDLE_S)  # what is measured is that nothing comes
        return {"idle_percent": (setup.proxy.cpu_s() - before) / IDLE_S * 100}


ROWS = [Row("latency-1", "1 connection, 128 B, busy_poll = auto: latency",
            [SPINNING, Contender("haproxy", "haproxy"), Contender("nginx", "nginx"), Contender("haproxy-busy", "haproxy", busy_poll=True),
             Contender("penstock-off", "penstock")],
            latency,
            [Bar("p50_us", 0.5, "us"), Bar("p50_us", 1.0, "us", against="haproxy-busy"), Bar("p99_us", unit="us"), Bar("cpu_share", unit="CPUs")],
            seconds=0.25, times=3),
        Row("latency-idle", "busy_poll = auto when nothing comes: CPU", [SPINNING], idle, [Bar("idle_percent", unit="% CPU", at_most=2.0)])]
