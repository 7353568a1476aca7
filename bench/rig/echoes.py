"""Requests through a proxy: what each costs it, and how long each takes."""
import contextlib
import time

import load
from proxies import Proxy, Settings


class Setup:
    """A server of penstock-bench and a proxy before it, for as long as a `with` lasts."""

    def __init__(self, rig, contender, mode="echo", servers=1, options=(), **settings):
        self.rig, self.contender, self.mode, self.count, self.options, self.settings = rig, contender, mode, servers, options, settings

    def __enter__(self):
        self.servers = [load.Server(self.rig.programs, self.mode, options=self.options) for _ in range(self.count)]
        try:
            settings = {**self.settings, **self.contender.settings}
            self.proxy = Proxy(self.contender.kind, Settings([server.address for server in self.servers], **settings), self.rig.programs)
        except BaseException:
            self._stop_servers()
            raise
        self.target = self.proxy.settings.target()
        return self

    def _stop_servers(self):
        for server in self.servers:
            server.stop()

    def __exit__(self, *_):
        self.proxy.stop()
        self._stop_servers()

    def run(self, *options):
        return load.run(self.rig.programs, self.target, *options)


def milliseconds(seconds):
    return f"{int(seconds * 1000)}ms"


def metrics(result, cpu_s, before=0):
    """`before`: requests that the proxy served in this time although they had begun earlier."""
    latency, served = result["latency_ns"], result["requests"] + before
    return {"cpu_us": cpu_s / served * 1e6, "rate": served / result["elapsed_s"], "cpu_share": cpu_s / result["elapsed_s"],
            **{f"{name}_us": latency[name] / 1e3 for name in ("p50", "p99", "p999")}}


def once(rig, proxy, seconds, *options, opening=0, in_flight=0):
    """One run, with the CPU time that the proxy took for it. `opening`: seconds in which all connections are opened, which is not measured; so many requests are
    in flight when they are over."""
    target = proxy.settings.target()
    before = proxy.cpu_s()
    if not opening:
        result = load.run(rig.programs, target, *options, "--duration", milliseconds(seconds))
        return metrics(result, proxy.cpu_s() - before)
    running = load.Load(rig.programs, target, *options, "--warmup", milliseconds(opening), "--duration", milliseconds(seconds))
    time.sleep(opening)
    before = proxy.cpu_s()
    result = running.result()
    return metrics(result, proxy.cpu_s() - before, in_flight)


def opening_time(connections):
    """Seconds in which the slowest has opened so many."""
    return 0.05 + connections / 5000


def measured_at(rig, proxy, seconds, *options):
    """The same after a short run to warm up."""
    load.run(rig.programs, proxy.settings.target(), *options, "--duration", "200ms")
    return once(rig, proxy, seconds, *options)


@contextlib.contextmanager
def standing(rig, contender, *options, mode="echo", opening=0, in_flight=0, **settings):
    """For what is `standing`: requests with these options, a first run to warm up."""
    with Setup(rig, contender, mode, **settings) as setup:
        setup.run(*options, "--duration", "300ms")
        yield lambda: once(setup.rig, setup.proxy, rig.seconds, *options, opening=opening, in_flight=in_flight)


def once_udp(rig, proxy, seconds, *options):
    """One run of datagrams. Only those that came back count as served."""
    before = proxy.cpu_s()
    result = load.run(rig.programs, proxy.settings.target(), *options, "--duration", milliseconds(seconds), udp=True)
    cpu_s, latency, counts = proxy.cpu_s() - before, result["latency_ns"], result["datagrams"]
    served = counts["received"]
    return {"cpu_us": cpu_s / served * 1e6, "time_us": result["elapsed_s"] / served * 1e6, "rate": served / result["elapsed_s"],
            "lost_share": counts["lost"] / counts["sent"], **{f"{name}_us": latency[name] / 1e3 for name in ("p50", "p99")}}


@contextlib.contextmanager
def standing_udp(rig, contender, *options, server=(), **settings):
    """As standing(), for datagrams."""
    with Setup(rig, contender, "udp", options=server, udp=True, **settings) as setup:
        load.run(rig.programs, setup.target, *options, "--duration", "300ms", udp=True)
        yield lambda: once_udp(setup.rig, setup.proxy, rig.seconds, *options)


def closed_loop(rig, contender, size, connections, **settings):
    """The same for requests of one size, each connection with one in flight, measured from when all are open."""
    options = ("--work", "rpc", "--size", str(size), "--connections", str(connections))
    return standing(rig, contender, *options, opening=opening_time(connections), in_flight=connections, **settings)


def measured(setup, seconds, *options):
    return measured_at(setup.rig, setup.proxy, seconds, *options)


def requests(rig, contender, size, connections):
    options = ("--work", "rpc", "--size", str(size), "--connections", str(connections))
    with Setup(rig, contender) as setup:
        return measured(setup, rig.seconds, *options)
