"""Requests through a proxy: what each costs it, and how long each takes."""
import contextlib

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
        self.target = (self.proxy.settings.host, self.proxy.settings.port)
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


def metrics(result, cpu_s):
    latency = result["latency_ns"]
    return {"cpu_us": cpu_s / result["requests"] * 1e6, "rate": result["rate"], "cpu_share": cpu_s / result["elapsed_s"],
            **{f"{name}_us": latency[name] / 1e3 for name in ("p50", "p99", "p999")}}


def once(rig, proxy, seconds, *options):
    """One run, with the CPU time that the proxy took for it."""
    before = proxy.cpu_s()
    result = load.run(rig.programs, (proxy.settings.host, proxy.settings.port), *options, "--duration", milliseconds(seconds))
    return metrics(result, proxy.cpu_s() - before)


def measured_at(rig, proxy, seconds, *options):
    """The same after a short run to warm up."""
    load.run(rig.programs, (proxy.settings.host, proxy.settings.port), *options, "--duration", "200ms")
    return once(rig, proxy, seconds, *options)


@contextlib.contextmanager
def standing(rig, contender, *options, mode="echo", **settings):
    """For a row that is `standing`: requests with these options, a first run to warm up."""
    with Setup(rig, contender, mode, **settings) as setup:
        setup.run(*options, "--duration", "300ms")
        yield lambda: once(setup.rig, setup.proxy, rig.seconds, *options)


def measured(setup, seconds, *options):
    return measured_at(setup.rig, setup.proxy, seconds, *options)


def requests(rig, contender, size, connections, rate=None, mode="echo", work="rpc", **settings):
    options = ["--work", work, "--size", str(size), "--connections", str(connections)]
    if rate:
        options += ["--rate", str(int(rate))]
    with Setup(rig, contender, mode, **settings) as setup:
        return measured(setup, rig.seconds, *options)
