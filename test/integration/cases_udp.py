"""UDP: addresses of both families, boundaries of datagrams, the PROXY header, and what is shared with TCP."""
import random
import signal
import socket
import struct
import subprocess
from collections import Counter

import needs
from backends import Backend
from case import ENGINES, Case
from peers import Caller
from rig import Skip, require, wait_for
from udp_peers import DATAGRAM_MAX, datagram_socket, send_train
from udp_stage import UdpStage

PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
EIGHT = {"udp_idle_timeout": "8s"}


# ---- addresses ----

def both_families(rig, case):
    """Datagrams are relayed between clients and backends of every combination of families."""
    needs.ipv6()
    for host, server in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "::1"), ("::1", "127.0.0.1")):
        stage = UdpStage(rig, case, 1, host, server_host=server)
        for client in stage.several(3):
            client.asked()
            client.asked(b"")
            client.asked(b"x" * 60000)
        stage.penstock.sessions_gone()
        stage.penstock.stop()
    rows = rig.access(12)
    require(all(row["datagrams_in"] == row["datagrams_out"] == "3" and row["bytes_in"] == row["bytes_out"] == "60001" for row in rows), f"flows: {rows}")


def wildcard(rig, case):
    """On a wildcard address, each reply comes from the address to which the client has sent, also if one client's port uses several of them."""
    needs.ipv6()
    stage = UdpStage(rig, case, binds=lambda stage: [f"*:{stage.target[1]}"])
    port = stage.target[1]
    for client in [stage.client((host, port)) for host in ("127.0.0.1", "127.0.0.5", "::1")]:
        client.asked()
    client = stage.client(source=("127.0.0.1", rig.ports.free()))
    for turn in range(6):
        client.target = ("127.0.0.1" if turn % 2 else "127.0.0.9", port)
        client.asked()
    stage.idle()
    require(len(stage.ends(5)) == 5, "one flow for each address that the client has sent to is due")


def strangers(rig, case):
    """A datagram from a socket that is not the flow's backend does not reach the client, even one from the backend's address."""
    stage = UdpStage(rig, case)
    client = stage.client()
    client.asked()
    flow = next(iter(stage.servers[0].peers))
    for address in (("127.0.0.1", 0), ("127.0.0.3", stage.ports[0])):
        with datagram_socket(address) as stranger:
            stranger.sendto(b"spoofed", flow)
    client.silent()
    stage.servers[0].sock.sendto(b"real", flow)
    require(client.receive() == b"real", "the backend's own datagram did not arrive")


def port_range(rig, case):
    """Each port of a range is served, and replies come from the port that the client has sent to."""
    first = rig.ports.free(5)
    stage = UdpStage(rig, case, binds=lambda stage: [f"127.0.0.1:{first}-{first + 4}"])
    for offset in range(5):
        stage.client(("127.0.0.1", first + offset)).asked()


def one_interface(rig, case):
    """interface = lo binds each UDP socket of the listener to that interface."""
    stage = UdpStage(rig, case)
    stage.client().asked()
    bound = [line.split()[3] for line in subprocess.run(["ss", "-Hlun", f"sport = :{stage.target[1]}"], capture_output=True, text=True,
                                                        check=True).stdout.splitlines()]
    require(bound == [f"127.0.0.1%lo:{stage.target[1]}"] * 2, f"bound to {bound}")


# ---- boundaries ----

def mixed_pieces(chance, number):
    """Returns a list of pieces to send: (segment, datagrams). A piece with a segment is sent as a train."""
    pieces = []
    for _ in range(12):
        size = chance.choice((0, 1, 7, 100, 500, 1200, 1452, 1453, 1472, 4000))
        count = chance.choice((1, 1, 2, 3, 10, 40)) if size else 1
        count = min(count, 60000 // max(size, 1), 64)
        datagrams = []
        for at in range(count):
            own = size if at < count - 1 or count == 1 else chance.randint(1, size)
            datagrams.append((b"%08d." % (number + at))[:own].ljust(own, b"."))
        number += count
        pieces.append((count > 1 and chance.random() < 0.7, datagrams))
    return pieces, number


def boundaries(gro):
    def body(rig, case):
        """Trains and single datagrams of mixed sizes arrive as they were sent: none is lost, doubled, reordered, cut or joined, in both directions."""
        stage = UdpStage(rig, case, keep=True, gro=gro)
        client, chance, number = stage.client(), random.Random(5), 0
        for turn in range(60):
            pieces, number = mixed_pieces(chance, number)
            sent = [data for _, datagrams in pieces for data in datagrams]
            for train, datagrams in pieces:
                if train:
                    send_train(client.sock, datagrams, stage.target)
                else:
                    for data in datagrams:
                        client.send(data)
            got = client.drain(len(sent))
            arrived = [data for data, _ in stage.servers[0].received]
            stage.servers[0].received = []
            for place, seen in (("server", arrived), ("client", got)):
                wrong = next((at for at, (one, other) in enumerate(zip(sent, seen)) if one != other), None)
                require(seen == sent, f"turn {turn}: {len(sent)} sent, {len(seen)} at the {place}, the first that differs is number {wrong}")
        if gro:
            require(any(size < count for count, size in stage.servers[0].pieces), "the server got no train, so the case shows nothing")
        client.silent()
    return body


def largest(rig, case):
    """Datagrams of the largest sizes are relayed whole."""
    needs.ipv6()
    for host, size in (("127.0.0.1", DATAGRAM_MAX), ("::1", DATAGRAM_MAX)):
        stage = UdpStage(rig, case, host=host)
        for bytes_more in range(3):
            stage.client().asked(b"L" * (size - bytes_more))
        stage.penstock.sessions_gone()
        stage.penstock.stop()


def trains_of_128(rig, case):
    """Newer kernels send trains of 128 datagrams. They are relayed too."""
    stage = UdpStage(rig, case)
    client = stage.client()
    for size, count in ((400, 128), (100, 100)):
        sent = [(b"%04d" % at).ljust(size, b".") for at in range(count)]
        try:
            send_train(client.sock, sent, stage.target)
        except OSError as error:
            raise Skip(f"this kernel sends no trains of {count}: {error}") from None
        require(client.drain(count) == sent, f"the {count} datagrams of a train did not come back in order")


# What arrives together, as (size of a datagram, bytes in all), and the pieces that leave, as (bytes, size of a datagram).
JOINED = (
    ("a shorter one is the last", [(100, 100)] * 3 + [(40, 40), (100, 100)], [(340, 100), (100, 100)]),
    ("a longer one begins the next", [(100, 100), (101, 101), (101, 101)], [(100, 100), (202, 101)]),
    ("one after the other that is shorter", [(9, 9), (8, 8), (7, 7), (6, 6)], [(17, 9), (13, 7)]),
    ("empty ones stay alone", [(50, 50), (0, 0), (50, 50), (50, 50), (0, 0)], [(50, 50), (0, 0), (100, 50), (0, 0)]),
    ("larger ones than the path may carry", [(1452, 1452)] * 2 + [(1453, 1453)] * 2, [(2904, 1452), (1453, 1453), (1453, 1453)]),
    ("trains of the same size", [(50, 500), (50, 250), (50, 260)], [(1010, 50)]),
    ("a train that has a shorter last one", [(50, 510), (50, 100), (50, 50)], [(510, 50), (150, 50)]),
    ("a datagram and a train", [(50, 50), (50, 500), (30, 300), (300, 300)], [(550, 50), (300, 30), (300, 300)]),
    ("at most 64", [(10, 400), (10, 240), (10, 10)], [(640, 10), (10, 10)]),
    ("no more than 64 by a train", [(10, 400), (10, 250)], [(400, 10), (250, 10)]),
    ("at most 65,507 bytes", [(1400, 46 * 1400), (1050, 1050), (1400, 1400)], [(65450, 1400), (1400, 1400)]),
    ("no more than 65,507 bytes", [(1400, 46 * 1400), (1108, 1108)], [(64400, 1400), (1108, 1108)]),
)


def joining(rig, case):
    """What arrives for a flow while penstock is stopped leaves in as few trains as the rules of joining allow."""
    stage = UdpStage(rig, case, keep=True, gro=True)
    client = stage.client()
    client.asked()
    for name, arriving, leaving in JOINED:
        stage.servers[0].pieces = []
        stage.penstock.signal(signal.SIGSTOP)
        wait_for(lambda: open(f"/proc/{stage.penstock.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T", "penstock is stopped")
        sent = []
        for size, count in arriving:
            datagrams = [bytes([len(sent)]) * min(size, count - at) for at in range(0, max(count, 1), max(size, 1))]
            sent += datagrams
            if len(datagrams) > 1:
                send_train(client.sock, datagrams, stage.target)
            else:
                client.send(datagrams[0])
        stage.penstock.signal(signal.SIGCONT)
        require(client.drain(len(sent)) == sent, f"{name}: other datagrams came back")
        require(stage.servers[0].pieces == leaving, f"{name}: {stage.servers[0].pieces} instead of {leaving}")


def bursts(rig, case):
    """Eight flows send 200 datagrams each back to back. None is lost."""
    stage = UdpStage(rig, case, 2, keep=True)
    clients = stage.several(8)
    for turn in range(5):
        sent = {client: [b"%d-%d" % (turn, at) + b"x" * (at % 300) for at in range(200)] for client in clients}
        for at in range(200):
            for client in clients:
                client.send(sent[client][at])
        for client in clients:
            got = [data.split(b" ", 1)[1] for data in client.drain(200)]
            require(got == sent[client], f"turn {turn}: {len(got)} of 200 replies, or in another order")
    require(stage.totals()["dropped"] == 0, f"totals: {stage.totals()}")


def steady(rig, case):
    """Twenty clients with up to eight requests in flight each lose none of 20,000."""
    stage = UdpStage(rig, case, 2)
    clients = stage.several(20)
    for turn in range(125):
        for client in clients:
            for at in range(8):
                client.send(b"%d-%d" % (turn, at))
        for client in clients:
            got = [data.split(b" ", 1)[1] for data in client.drain(8)]
            require(got == [b"%d-%d" % (turn, at) for at in range(8)], f"turn {turn}: {got}")
    totals = stage.totals()
    require(totals == {"flows": 20, "out": 20000, "back": 20000, "dropped": 0, "refused": 0}, f"totals: {totals}")


# ---- the PROXY header ----

def read_proxy(data):
    """Returns (source, destination, payload) of a datagram with a PROXY header of version 2."""
    require(data[:12] == PROXY_SIGNATURE, f"no PROXY header: {data[:20]!r}")
    command, family, length = struct.unpack("!BBH", data[12:16])
    require(command == 0x21, f"version and command {command:#x}")
    size, kind = {0x12: (4, socket.AF_INET), 0x22: (16, socket.AF_INET6)}[family]
    require(length == 2 * size + 4, f"length {length}")
    source, destination = (socket.inet_ntop(kind, data[16 + at * size:16 + (at + 1) * size]) for at in range(2))
    ports = struct.unpack("!HH", data[16 + 2 * size:16 + length])
    return (source, ports[0]), (destination, ports[1]), data[16 + length:]


def proxy_header(rig, case):
    """Each datagram, or the first one of each flow, begins with a header that has the client's address and the address to which it has sent."""
    needs.ipv6()
    every = case.pool["proxy_protocol"] == "v2"
    stage = UdpStage(rig, case, binds=lambda stage: [f"*:{stage.target[1]}"], keep=True)
    for host in ("127.0.0.1", "127.0.0.7", "::1"):
        target = (host, stage.target[1])
        client = stage.client(target)
        stage.servers[0].received = []
        sent = [b"first", b"second" * 30, b"", b"z" * 1400, b"z" * 1400]
        for data in sent[:3]:
            client.send(data)
        send_train(client.sock, sent[3:], target)
        client.drain(5)
        arrived = [data for data, _ in stage.servers[0].received]
        require(len(arrived) == 5, f"{len(arrived)} of 5 datagrams arrived")
        for at, data in enumerate(arrived):
            if every or at == 0:
                source, destination, data = read_proxy(data)
                require(source == client.sock.getsockname()[:2] and destination == target, f"header: {source} to {destination}")
            require(data == sent[at], f"payload {at} is {data[:30]!r}")


def proxy_too_large(rig, case):
    """A datagram that has no room for the header is dropped and reported, not cut. Those around it arrive."""
    stage = UdpStage(rig, case, keep=True)
    client = stage.client()
    for size in (10, DATAGRAM_MAX - 28, DATAGRAM_MAX - 27, DATAGRAM_MAX, 20):
        client.send(b"p" * size)
        wait_for(lambda size=size: stage.servers[0].received and len(stage.servers[0].received[-1][0]) in (size + 28, size) or
                 stage.penstock.logged("no room|too large"), f"a datagram of {size} bytes has arrived")
    wait_for(lambda: len(stage.servers[0].received) == 3, "three datagrams have arrived")
    require([len(data) - 28 for data, _ in stage.servers[0].received] == [10, DATAGRAM_MAX - 28, 20], "another size arrived")
    stage.penstock.wait_log("too large for the path, or for the PROXY header")
    require(stage.totals()["dropped"] == 2, f"totals: {stage.totals()}")


# ---- beside TCP ----

def with_tcp(rig, case):
    """protocol = tcp+udp serves both on one port with the same pool. With consistent_hash, both protocols of a client reach the same backend."""
    stage = UdpStage(rig, case, 4)
    for number, port in enumerate(stage.ports):
        rig.keep(Backend(("127.0.0.1", port), f"b{number}", "greet"))
    names = Counter()
    for number in range(2, 40):
        host = f"127.0.0.{number}"
        client = stage.client(source=(host, 0))
        caller = Caller(stage.target, source=(host, 0), greeted=True)
        caller.call(10000)
        require(client.who() == caller.greeting, f"{host}: TCP went to {caller.greeting}, UDP to another backend")
        names[caller.greeting] += 1
        caller.close()
    require(len(names) == 4, f"clients on {dict(names)}")


def tcp_unaffected(rig, case):
    """While UDP bursts pass, TCP sessions through the same process carry their bytes."""
    stage = UdpStage(rig, case)
    rig.keep(Backend(("127.0.0.1", stage.ports[0])))
    clients, callers = stage.several(4), [rig.keep(Caller(stage.target, key=key)) for key in range(4)]
    for _ in range(20):
        for client in clients:
            for at in range(50):
                client.send(b"%d" % at)
        for caller in callers:
            caller.call(100000)
        for client in clients:
            require(client.drain(50) == [b"%d" % at for at in range(50)], "datagrams were lost")


CASES = (
    Case("udp-both-families", both_families.__doc__, body=both_families, ways=ENGINES),
    Case("udp-wildcard", wildcard.__doc__, body=wildcard, ways=ENGINES),
    Case("udp-strangers", strangers.__doc__, body=strangers, ways=ENGINES),
    Case("udp-port-range", port_range.__doc__, body=port_range, ways=ENGINES),
    Case("udp-interface", one_interface.__doc__, body=one_interface, listener={"interface": "lo"}, ways=ENGINES),
    Case("udp-boundaries", boundaries(False).__doc__, body=boundaries(False), ways=ENGINES),
    Case("udp-boundaries-gro", boundaries(True).__doc__, body=boundaries(True), ways=ENGINES),
    Case("udp-largest", largest.__doc__, body=largest, ways=ENGINES),
    Case("udp-trains-of-128", trains_of_128.__doc__, body=trains_of_128, ways=ENGINES),
    Case("udp-joining", joining.__doc__, body=joining, ways=ENGINES),
    Case("udp-bursts", bursts.__doc__, body=bursts, ways=ENGINES),
    Case("udp-steady", steady.__doc__, body=steady, pool=EIGHT, ways=ENGINES),
    Case("udp-proxy-header", proxy_header.__doc__, body=proxy_header, pool={"proxy_protocol": "v2"}, ways=ENGINES),
    Case("udp-proxy-header-first", proxy_header.__doc__, body=proxy_header, pool={"proxy_protocol": "v2_first"}, ways=ENGINES),
    Case("udp-proxy-too-large", proxy_too_large.__doc__, body=proxy_too_large, pool={"proxy_protocol": "v2"}, ways=ENGINES),
    Case("udp-and-tcp", with_tcp.__doc__, body=with_tcp, listener={"protocol": "tcp+udp"}, pool={"balance": "consistent_hash"}, ways=ENGINES),
    Case("udp-beside-tcp", tcp_unaffected.__doc__, body=tcp_unaffected, listener={"protocol": "tcp+udp"}, ways=ENGINES),
)
