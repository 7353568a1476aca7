"""The UDP load generator itself, without Penstock: it loses nothing over loopback, and reports everything that goes wrong."""
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Callable

from bench import UdpLoad, UdpServer
from case import ONCE, Case
from rig import require

SECONDS = 20


class Relay:
    """A UDP server in a thread. `rule` gets each datagram and its sender, and returns the datagrams to send, as (data, address)."""

    def __init__(self, rule):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self.rule, self.ending = rule, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending:
            try:
                data, sender = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            for answer, address in self.rule(data, sender):
                self.socket.sendto(answer, address)

    def close(self):
        self.ending = True
        self.thread.join()
        self.socket.close()


def field_changed(position, change):
    """A rule that changes one of the numbers at the beginning of a datagram: 4 is the run, 8 the flow, 12 the number in the flow."""
    def rule(data, sender):
        value = struct.unpack_from("<I", data, position)[0]
        return [(data[:position] + struct.pack("<I", change(value) & 0xffffffff) + data[position + 4:], sender)]
    return rule


def in_pairs(answer_both):
    """A rule that waits for a second datagram and then answers both."""
    def rule(data, sender):
        held.append((data, sender))
        if len(held) < 2:
            return []
        (first, second), held[:] = held, []
        return answer_both(first, second)
    held = []
    return rule


def swapped_senders(first, second):
    return [(first[0], second[1]), (second[0], first[1])]


@dataclass(frozen=True)
class Mishap:
    name: str
    options: tuple          # of the load
    counts: dict            # what it must count; everything else is 0
    server: tuple = ()      # options of the server
    rule: Callable = None   # () -> rule of a Relay, which takes the place of the server
    clean: bool = False


MISHAPS = (
    Mishap("a lost answer", ("--requests", "16", "--window", "4", "--timeout", "400ms"), {"received": 12, "lost": 4}, server=("--fault", "stall:4")),
    Mishap("no answers", ("--requests", "10", "--window", "5", "--timeout", "400ms"), {"received": 0, "lost": 10}, server=("--answers", "0")),
    Mishap("a tolerable loss", ("--requests", "16", "--window", "4", "--timeout", "400ms", "--allow-loss", "25%"), {"received": 12, "lost": 4},
           server=("--fault", "stall:4"), clean=True),
    Mishap("no answers wanted", ("--requests", "10", "--window", "5", "--timeout", "400ms", "--allow-loss", "100%"), {"received": 0, "lost": 10},
           server=("--answers", "0"), clean=True),
    Mishap("two answers", ("--requests", "100", "--flows", "5"), {"received": 100, "duplicates": 100}, server=("--answers", "2")),
    Mishap("a wrong byte", ("--requests", "30"), {"received": 20, "corrupt": 10}, server=("--fault", "corrupt:3")),
    Mishap("half an answer", ("--requests", "30"), {"received": 20, "corrupt": 10}, server=("--fault", "truncate:3")),
    Mishap("answers in another order", ("--requests", "10", "--window", "2", "--rate", "1000"), {"received": 10, "reordered": 5},
           rule=lambda: in_pairs(lambda first, second: [second, first]), clean=True),
    # Each datagram but the last one is answered when the next one comes, which is sent when it is lost.
    Mishap("an answer too late", ("--requests", "2", "--timeout", "400ms", "--allow-loss", "50%"), {"received": 1, "lost": 1, "late": 1},
           rule=lambda: in_pairs(lambda first, second: [first, second]), clean=True),
    Mishap("answers for another flow", ("--requests", "2", "--flows", "2", "--timeout", "400ms"), {"received": 0, "lost": 2, "wrong_flow": 2},
           rule=lambda: in_pairs(swapped_senders)),
    Mishap("an answer for another run", ("--requests", "1", "--timeout", "400ms"), {"received": 0, "lost": 1, "unexpected": 1},
           rule=lambda: field_changed(4, lambda run: run + 1)),
    Mishap("an answer to nothing", ("--requests", "1", "--timeout", "400ms"), {"received": 0, "lost": 1, "unexpected": 1},
           rule=lambda: field_changed(12, lambda number: number + 1)),
    Mishap("another protocol", ("--requests", "1", "--timeout", "400ms"), {"received": 0, "lost": 1, "corrupt": 1},
           rule=lambda: field_changed(0, lambda magic: 0)),
)


def counts_mishaps(rig, case):
    """Losses, duplicates, damage, disorder and misdelivery are counted as what they are, and decide whether the run was clean."""
    for mishap in MISHAPS:
        server = rig.keep(Relay(mishap.rule()) if mishap.rule else UdpServer(rig, rig.ports.free(), *mishap.server))
        result = rig.keep(UdpLoad(rig, server.port, *mishap.options)).result(SECONDS)
        seen = {key: count for key, count in result["datagrams"].items() if count > 0 or key in mishap.counts}
        due = {"sent": int(mishap.options[1]), **mishap.counts}
        require(seen == due and result["clean"] == mishap.clean, f"{mishap.name}: due were {due}, clean {mishap.clean}; the load reports {result}")


def loses_nothing(rig, case):
    """At a moderate rate, nothing is lost or changed between the load and its server, whatever the sizes, with and without offload."""
    plain = rig.keep(UdpServer(rig, rig.ports.free(), "--name", "b1"))
    trains = rig.keep(UdpServer(rig, rig.ports.free(), "--name", "b2", "--offload"))
    for server, name, options in (
            (plain, "b1", ("--rate", "5000", "--flows", "50", "--requests", "5000", "--size", "16-1400")),
            (plain, "b1", ("--flows", "50", "--window", "4", "--requests", "5000", "--size", "44-9000", "--expect-names")),
            (trains, "b2", ("--flows", "4", "--window", "16", "--requests", "5000", "--size", "1200", "--expect-names", "--offload")),
            (trains, "b2", ("--rate", "5000", "--flows", "4", "--window", "16", "--requests", "4992", "--size", "1200", "--expect-names", "--offload"))):
        result = rig.keep(UdpLoad(rig, server.port, *options)).finish(SECONDS)
        counts = {key: count for key, count in result["datagrams"].items() if count > 0}
        requests = int(options[options.index("--requests") + 1])
        require(counts == {"sent": requests, "received": requests}, f"more or less than {requests} datagrams: {result}")
        flows = int(options[options.index("--flows") + 1])
        require(list(result["backends"]) == [name] and result["backends"][name]["flows"] == flows, f"servers are wrong: {result}")


def many_flows(rig, case):
    """12,000 flows have a socket each, within 20,000 descriptors."""
    server = rig.keep(UdpServer(rig, rig.ports.free(), "--name", "b1"))
    result = rig.keep(UdpLoad(rig, server.port, "--flows", "12000", "--rate", "12000", "--requests", "24000")).finish(SECONDS)
    require(result["backends"] == {"b1": {"requests": 24000, "flows": 12000}}, f"two datagrams of each flow were due: {result}")


def counts_moves(rig, case):
    """A flow that another server answers has moved, once for each change."""
    servers = [rig.keep(UdpServer(rig, rig.ports.free(), "--name", name)) for name in ("b1", "b2")]
    upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    upstream.settimeout(5)

    def rule(data, sender):
        flow, number = struct.unpack_from("<II", data, 8)
        chosen = servers[1 if flow == 1 and 4 <= number < 8 else 0]
        upstream.sendto(data, ("127.0.0.1", chosen.port))
        return [(upstream.recv(65536), sender)]

    relay = rig.keep(Relay(rule))
    result = rig.keep(UdpLoad(rig, relay.port, "--flows", "3", "--rate", "300", "--requests", "30", "--expect-names")).finish(SECONDS)
    upstream.close()
    require(result["flows"] == {"wanted": 3, "moved": 1, "moves": 2}, f"flow 1 has moved twice: {result}")
    require(result["backends"] == {"b1": {"requests": 26, "flows": 3}, "b2": {"requests": 4, "flows": 0}}, f"servers are wrong: {result}")


CASES = (
    Case("udp-load-loses-nothing", loses_nothing.__doc__, body=loses_nothing, ways=ONCE, seconds=60),
    Case("udp-load-counts-mishaps", counts_mishaps.__doc__, body=counts_mishaps, ways=ONCE, seconds=60),
    Case("udp-load-counts-moves", counts_moves.__doc__, body=counts_moves, ways=ONCE),
    Case("udp-load-many-flows", many_flows.__doc__, body=many_flows, ways=ONCE, seconds=60),
)
