"""UDP: the choice of a backend, and backends that go away."""
import os
import time
from collections import Counter

from backends import Backend
from case import ENGINES, Case
from rig import require, wait_for
from udp_peers import naming
from udp_stage import UdpStage

CHECKED = {"check": "tcp", "check_interval": "100ms", "check_fast_interval": "100ms", "check_timeout": "500ms", "rise": 1, "fall": 1,
           "udp_idle_timeout": "8s"}
HASHED = {"balance": "consistent_hash"}


def burst(client, count, sizes=(100,)):
    """Sends numbered datagrams back to back."""
    for number in range(count):
        client.send((b"%06d" % number).ljust(sizes[number % len(sizes)], b"x"))


# ---- the choice ----

def sticky(rig, case):
    """All datagrams of a client's port go to one backend, and the clients are spread over all of them."""
    stage = UdpStage(rig, case, 3)
    clients = stage.several(300)
    first = [client.who() for client in clients]
    for _ in range(3):
        require([client.who() for client in clients] == first, "a flow has changed its backend")
    counts = Counter(first)
    require(len(counts) == 3 and min(counts.values()) > 40, f"clients on {dict(counts)}")
    require({row["worker"] for row in rig.access(300, 15)} == {"0", "1"}, "one worker has served all clients")


def hashed_over_workers(rig, case):
    """With consistent_hash, all ports of a client go to the same backend, whichever worker serves them."""
    stage = UdpStage(rig, case, 3)
    names = {}
    for number in range(2, 42):
        host = f"127.0.0.{number}"
        names[host] = {stage.client(source=(host, 0)).who() for _ in range(6)}
    require(all(len(found) == 1 for found in names.values()), f"a client is on several backends: {names}")
    require(len({name for found in names.values() for name in found}) == 3, "not all backends are used")
    workers = {}
    for row in rig.access(240, 10):
        workers.setdefault(row["client"].split(":")[0], set()).add(row["worker"])
    require(sum(len(found) == 2 for found in workers.values()) > 20, "most clients were served by one worker only")


def quic_short(identity):
    return b"\x40" + identity + os.urandom(30)


def quic_long(identity):
    return b"\xc0\x00\x00\x00\x01" + bytes([len(identity)]) + identity + b"\x00" + os.urandom(1180)


def quic(rig, case):
    """Datagrams with the same QUIC connection id reach the same backend from any address, with a long or short header. Others are hashed by address."""
    stage = UdpStage(rig, case, 4)
    names = Counter()
    for number in range(24):
        identity = number.to_bytes(1, "big") * 8
        found = set()
        for at in range(3):
            client = stage.client(source=(f"127.0.{number + 1}.{at + 1}", 0))
            found.add(client.ask(quic_long(identity) if at == 0 else quic_short(identity)).split()[0])
        require(len(found) == 1, f"one connection id on {found}")
        names.update(found)
    require(len(names) == 4, f"connection ids on {dict(names)}")
    for host in ("127.1.0.1", "127.1.0.2", "127.1.0.3"):
        require(len({stage.client(source=(host, 0)).ask(data).split()[0] for data in (b"", b"\x00no quic", b"\x0a")}) == 1, f"{host} is on several backends")


def per_packet(rig, case):
    """Each datagram goes to the next backend, and the client gets all replies."""
    stage = UdpStage(rig, case, 3)
    for client in stage.several(3):
        counts = Counter(client.who() for _ in range(30))
        require(counts == {"b0": 10, "b1": 10, "b2": 10}, f"datagrams on {dict(counts)}")
    clients = stage.several(8)
    for client in clients:
        burst(client, 90)
    got = Counter(data.split()[0] for client in clients for data in client.drain(90))
    require(sum(got.values()) == 720 and max(got.values()) - min(got.values()) <= 2, f"replies of a burst from {dict(got)}")


def backend_limit(rig, case):
    """max_connections of a backend counts flows."""
    stage = UdpStage(rig, case, 2, options="max_connections=2")
    clients = stage.several(4)
    require(Counter(client.who() for client in clients) == {"b0": 2, "b1": 2}, "not two flows on each backend")
    late = stage.client()
    late.send(b"x")
    late.silent()
    stage.penstock.wait_log("no backend of the pool is up and below its limit")
    require(all(client.who() for client in clients), "an open flow is affected")
    stage.idle()
    require(late.who() in ("b0", "b1"), "not served when flows have ended")


# ---- backends that go away ----

def refuses(rig, case):
    """A backend's port is closed. One datagram is lost. Then all of its flows go to the other one, and the log says so once."""
    stage = UdpStage(rig, case, 2)
    clients = stage.several(10)
    first = [client.who() for client in clients]
    require(set(first) == {"b0", "b1"}, "one backend has all flows")
    began = time.monotonic()
    stage.servers[0].close()
    moved = [client for client, name in zip(clients, first) if name == "b0"]
    moved[0].send(b"lost")
    moved[0].silent(0.05)
    stage.penstock.wait_log(r"backend b0 .*does not take datagrams: ECONNREFUSED")
    require([client.who() for client in moved] == ["b1"] * len(moved), "not moved to b1 at once")
    require([client.who() for client in clients] == ["b1"] * 10, "a flow is not on b1")
    reports = stage.penstock.log().count("does not take datagrams")
    require(reports <= 2 * (1 + time.monotonic() - began), f"reported {reports} times, more than once a second by each worker")
    rows = rig.access(len(moved))
    require(all(row["end"] == "SD" and row["backend"] == "b0" for row in rows), f"ends: {rows}")
    stage.revive(0)
    stage.idle()
    require({stage.client().who() for _ in range(6)} == {"b0", "b1"}, "b0 gets no flow again")


def marked_down(rig, case):
    """Probes find a backend down. Its flows go to the other one, although it still answers. New flows return when it is up."""
    checks = [rig.keep(Backend(("127.0.0.1", rig.ports.free()), f"check{number}", "sink")) for number in range(2)]
    stage = UdpStage(rig, case, 2, start=False)
    text = open(stage.ini).read()
    for number, check in enumerate(checks):
        text = text.replace(f"127.0.0.1:{stage.ports[number]}", f"127.0.0.1:{stage.ports[number]} check_port={check.address[1]}")
    stage.penstock = rig.launch(rig.write("checked.ini", text))
    clients = stage.several(10)
    require({client.who() for client in clients} == {"b0", "b1"}, "one backend has all flows")
    checks[0].close()
    stage.penstock.wait_log(r"\bb0\b.*\bdown")
    wait_for(lambda: {client.who() for client in clients} == {"b1"}, "all flows are on b1")
    rig.keep(Backend(checks[0].address, "check0", "sink"))
    stage.penstock.wait_log(r"\bb0\b.*\bup\b")
    require([client.who() for client in clients] == ["b1"] * 10, "a flow has left a backend that is up")
    wait_for(lambda: stage.client().who() == "b0", "new flows go to b0")


def all_gone(rig, case):
    """While no backend takes datagrams, they are dropped and counted. Flows work again as soon as a backend is there."""
    stage = UdpStage(rig, case, 2)
    clients = stage.several(4)
    require({client.who() for client in clients} == {"b0", "b1"}, "one backend has all flows")
    for server in stage.servers:
        server.close()
    for client in clients:
        burst(client, 20)
        client.silent(0.05)
    stage.penstock.wait_log("does not take datagrams")
    stage.revive(1)
    for client in clients:
        require(client.retry().startswith(b"b1"), "not served by the backend that is back")


def all_down(rig, case):
    """While probes find no backend up, datagrams are dropped, counted and reported."""
    stage = UdpStage(rig, case, 2)  # nobody listens on TCP
    stage.penstock.wait_log(r"\b0 of 2 usable|no backend")
    client = stage.client()
    wait_for(lambda: [client.send(b"x")] and stage.penstock.logged("no backend of the pool is up and below its limit"), "a drop is reported", pause=0.05)
    for number, port in enumerate(stage.ports):
        rig.keep(Backend(("127.0.0.1", port), f"check{number}", "sink"))
    require(client.retry()[:1] == b"b", "not served when the backends are up")
    require(stage.totals()["dropped"] > 0, f"totals: {stage.totals()}")


def moves_at_limits(rig, case):
    """A flow whose backend is gone moves to another one, although the limits allow no new flow."""
    stage = UdpStage(rig, case, 2)
    client = stage.client()
    first = client.who()
    stage.servers[int(first[1])].close()
    client.send(b"refused")
    stage.penstock.wait_log("does not take datagrams")
    require(client.who() != first, "the flow has not moved")


def one_refusal_for_all(rig, case):
    """When a backend has refused a datagram of one flow, its other flows lose none: they move first. When it answers again, new flows go there."""
    stage = UdpStage(rig, case, 2)
    clients = stage.several(40)
    lost = [client for client in clients if client.who() == "b0"]
    require(len(lost) == 20, f"{len(lost)} of 40 flows on one of two backends")
    stage.servers[0].close()
    lost[0].send(b"refused")
    stage.penstock.wait_log("does not take datagrams")
    for client in lost[1:]:
        client.send(b"x")
    for client in lost[1:]:
        require((client.receive() or b"").startswith(b"b1"), "not served by the other backend")
    stage.revive(0)
    wait_for(lambda: stage.client().who() == "b0", "the backend gets flows again")


def refused_after_requests(rig, case):
    """The only backend refuses a burst while udp_requests divides it into flows. What is refused is dropped, and later datagrams are relayed again."""
    stage = UdpStage(rig, case, [None])
    client = stage.client()
    for _ in range(5):
        burst(client, 300, (100, 300, 50, 700))
    stage.penstock.wait_log("does not take datagrams")
    stage.revive(0)
    require(client.retry().startswith(b"b0"), "not served again")


def refused_burst_per_packet(rig, case):
    """One of two backends refuses its half of a burst. The other one takes what was not sent."""
    stage = UdpStage(rig, case, [None, naming("b1")])
    clients = stage.several(4)
    for _ in range(5):
        for client in clients:
            burst(client, 200)
    stage.penstock.wait_log("does not take datagrams")
    wait_for(lambda: stage.servers[1].count > 2000, "the other backend gets most of the datagrams")


def only_one_refuses(rig, case):
    """The only backend refuses. The datagrams go to it nevertheless, and the log does not say that there is no backend."""
    stage = UdpStage(rig, case, [None])
    client = stage.client()
    for _ in range(5):
        burst(client, 200)
    stage.penstock.wait_log("does not take datagrams")
    stage.revive(0)
    require(client.retry().startswith(b"b0"), "not served again")
    require(not stage.penstock.logged("no backend of the pool"), "the log says that there is no backend")


CASES = (
    Case("udp-one-refusal-for-all", one_refusal_for_all.__doc__, body=one_refusal_for_all, pool={"udp_idle_timeout": "8s"}, ways=ENGINES),
    Case("udp-moves-at-limits", moves_at_limits.__doc__, body=moves_at_limits, listener={"max_flows": 1, "max_flows_per_source": 1, "flow_rate": 1},
         ways=ENGINES),
    Case("udp-sticky", sticky.__doc__, body=sticky, pool={"udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-sticky-random", sticky.__doc__, body=sticky, pool={"balance": "random", "udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-sticky-least-conn", sticky.__doc__, body=sticky, pool={"balance": "least_conn", "udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-consistent-hash", hashed_over_workers.__doc__, body=hashed_over_workers, pool=HASHED, ways=ENGINES),
    Case("udp-quic", quic.__doc__, body=quic, pool={**HASHED, "hash_key": "quic_cid"}, ways=ENGINES),
    Case("udp-per-packet", per_packet.__doc__, body=per_packet, glob={"workers": 1}, pool={"udp_per_packet": "yes"}, ways=ENGINES),
    Case("udp-backend-limit", backend_limit.__doc__, body=backend_limit, pool={"udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-backend-refuses", refuses.__doc__, body=refuses, pool={"udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-backend-marked-down", marked_down.__doc__, body=marked_down, pool=CHECKED, ways=ENGINES),
    Case("udp-all-backends-gone", all_gone.__doc__, body=all_gone, ways=ENGINES),
    Case("udp-all-backends-down", all_down.__doc__, body=all_down, pool={**CHECKED, "udp_idle_timeout": "1s"}, ways=ENGINES),
    Case("udp-refused-after-requests", refused_after_requests.__doc__, body=refused_after_requests, pool={"udp_requests": 3}, ways=ENGINES),
    Case("udp-only-one-refuses", only_one_refuses.__doc__, body=only_one_refuses, ways=ENGINES),
    Case("udp-only-one-refuses-per-packet", only_one_refuses.__doc__, body=only_one_refuses, pool={"udp_per_packet": "yes"}, ways=ENGINES),
    Case("udp-refused-per-packet", refused_burst_per_packet.__doc__, body=refused_burst_per_packet, pool={"udp_per_packet": "yes"}, ways=ENGINES),
    Case("udp-refused-without-replies", refused_burst_per_packet.__doc__, body=refused_burst_per_packet, pool={"udp_responses": 0}, ways=ENGINES),
)
