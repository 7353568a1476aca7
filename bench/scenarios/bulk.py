"""Large transfers, up and down, four at a time: CPU per GB; on loopback, and on veth pairs without offloads, which is what a plain network card looks like.
And shorter ones, each over a connection of its own."""
import contextlib

import load
import netns
from echoes import Setup, milliseconds
from proxies import Proxy, Settings
from rows import Bar, Row, usual

CONNECTIONS, SIZE = 4, "64M"
FETCHERS, FETCHED = 16, "1M"
WAYS = (("bulk-up", "sink"), ("bulk-down", "source"))


def transfer(run, proxy, work, seconds, connections=CONNECTIONS, size=SIZE):
    """(CPU seconds, bytes) of one direction."""
    options = ("--work", work, "--connections", str(connections), "--bytes", size, "--timeout", "20s")
    before = proxy.cpu_s()
    result = run(*options, "--duration", milliseconds(seconds / 2))
    return proxy.cpu_s() - before, max(result["bytes"]["sent"], result["bytes"]["received"])


def metrics(parts):
    cpu, count = sum(part[0] for part in parts), sum(part[1] for part in parts)
    return {"cpu_gb": cpu / count * 1e9, "up_cpu_gb": parts[0][0] / parts[0][1] * 1e9, "down_cpu_gb": parts[1][0] / parts[1][1] * 1e9}


@contextlib.contextmanager
def on_loopback(rig, contender, **settings):
    with contextlib.ExitStack() as stack:
        setups = [(work, stack.enter_context(Setup(rig, contender, mode, bulk=True, **settings))) for work, mode in WAYS]
        yield lambda: metrics([transfer(setup.run, setup.proxy, work, rig.seconds) for work, setup in setups])


@contextlib.contextmanager
def fetches(rig, contender):
    """A small request and 1 MiB of answer over each connection: like downloads, unlike one long stream."""
    def once():
        cpu, count = transfer(setup.run, setup.proxy, "bulk-down", rig.seconds, FETCHERS, FETCHED)
        return {"cpu_gb": cpu / count * 1e9}

    with Setup(rig, contender, "source", bulk=True) as setup:
        yield once


def on_veth(rig, contender):
    net, parts = netns.routed(rig), []
    for work, mode in WAYS:
        server = load.Server(rig.programs, mode, net.server_host, net.server)
        try:
            settings = Settings([server.address], listen=(net.proxy_host, None), netns=net.proxy, bulk=True, **contender.settings)
            proxy = Proxy(contender.kind, settings, rig.programs)
            try:
                target = (settings.host, settings.port)
                parts.append(transfer(lambda *options, target=target: load.run(rig.programs, target, *options, netns=net.client), proxy, work, rig.seconds))
            finally:
                proxy.stop()
        finally:
            server.stop()
    return metrics(parts)


BARS = [Bar("up_cpu_gb", unit="s/GB"), Bar("down_cpu_gb", unit="s/GB")]

ROWS = [
    Row("bulk", "bulk up and down, 4 connections, loopback: CPU per GB", usual(), on_loopback, [Bar("cpu_gb", 0.65, "s/GB")] + BARS, standing=True, times=2),
    Row("bulk-wildcard", "bulk on loopback, the listener at 0.0.0.0: CPU per GB", usual(),
        lambda rig, contender: on_loopback(rig, contender, listen=("0.0.0.0", None)), [Bar("cpu_gb", unit="s/GB")] + BARS, standing=True, times=2),
    Row("bulk-veth", "bulk up and down, 4 connections, veth without offloads: CPU per GB", usual(), on_veth, [Bar("cpu_gb", 0.85, "s/GB")] + BARS),
    Row("epoll-bulk", "bulk up and down, 4 connections, epoll engine: CPU per GB", usual(engine="epoll"), on_loopback,
        [Bar("cpu_gb", 0.7, "s/GB")] + BARS, standing=True, times=2),
    Row("fetch", "1 MiB over each connection, 16 at a time: CPU per GB", usual(), fetches, [Bar("cpu_gb", 1.0, "s/GB")], standing=True, times=2),
]
