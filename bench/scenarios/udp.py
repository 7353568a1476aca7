"""Datagrams, closed loop: what does each request with its reply cost the proxy, how many are relayed in a second, and are any lost?"""
from echoes import standing_udp
from rows import Bar, Contender, Row


def contenders(**ours):
    return [Contender("penstock", "penstock", **ours), Contender("nginx", "nginx")]


def row(name, title, flows, window, size, bars, *options, **ours):
    arguments = ("--flows", str(flows), "--window", str(window), "--size", str(size), "--allow-loss", "100%", *options)
    server = ("--offload",) if "--offload" in options else ()
    return Row(name, title, contenders(**ours), lambda rig, contender: standing_udp(rig, contender, *arguments, server=server), bars, seconds=0.3, standing=True, times=4)


LOST = Bar("lost_share", unit="%", scale=0.01)
RATE = Bar("rate", unit="1/s")

ROWS = [
    row("udp-64", "128 B datagrams, 64 flows with 8 in flight each: CPU per request and reply", 64, 8, 128,
        [Bar("cpu_us", 0.65, "us"), RATE, Bar("p99_us", unit="us"), LOST]),
    row("udp-1", "128 B datagrams, 8 flows one at a time: CPU per request and reply", 8, 1, 128,
        [Bar("cpu_us", 0.85, "us"), RATE, Bar("p50_us", unit="us"), LOST]),
    row("udp-epoll-1", "128 B datagrams, 8 flows one at a time, epoll engine: CPU per request and reply", 8, 1, 128,
        [Bar("cpu_us", 0.85, "us"), RATE, LOST], engine="epoll"),
    row("udp-train", "1,200 B datagrams in trains of 16, 8 flows: time per request and reply", 8, 16, 1200,
        [Bar("time_us", 0.667, "us"), Bar("cpu_us", unit="us"), RATE, LOST], "--offload"),
    row("udp-epoll-64", "128 B datagrams, 64 flows with 8 in flight each, epoll engine: CPU per request and reply", 64, 8, 128,
        [Bar("cpu_us", 0.65, "us"), RATE, LOST], engine="epoll"),
]
