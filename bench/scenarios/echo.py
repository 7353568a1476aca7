"""Requests of one size on open connections, closed loop: what does each cost the proxy?"""
from echoes import closed_loop
from rows import Bar, Row, usual


def row(name, title, size, connections, ratio, seconds=0.2, times=4, **ours):
    return Row(name, title, usual(**ours), lambda rig, contender: closed_loop(rig, contender, size, connections),
               [Bar("cpu_us", ratio, "us/req"), Bar("rate", unit="1/s"), Bar("p99_us", unit="us")], seconds=seconds, standing=True, times=times)


ROWS = [
    row("echo-128-64", "128 B echo, 64 connections: CPU per request", 128, 64, 0.82),
    row("echo-128-512", "128 B echo, 512 connections: CPU per request", 128, 512, 0.75, seconds=0.3, times=4),
    row("echo-8k", "8 KiB echo, 64 connections: CPU per request", 8192, 64, 1.0),
    row("echo-20k", "20 KiB echo, 64 connections: CPU per request", 20480, 64, 0.85),
    row("echo-64k", "64 KiB echo, 64 connections: CPU per request", 65536, 64, 0.85),
    row("epoll-128-64", "128 B echo, 64 connections, epoll engine: CPU per request", 128, 64, 0.95, engine="epoll"),
]
