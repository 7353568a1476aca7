"""UDP over links that are not the loopback, in network namespaces: several addresses, an MTU of 1500, broadcast and multicast, and odd source addresses."""
import socket
import struct
import subprocess

from case import ENGINES, Case
from networks import ip, neighbours
from rig import Skip, require, wait_for
from udp_peers import UdpClient, datagram_socket, send_train
from udp_stage import UdpStage

IPV6_CHECKSUM = 7  # not in the socket module


def stage_between(rig, case, servers=None):
    """A penstock on all addresses, with an echo on the loopback or at a neighbour."""
    def binds(stage):
        return [f"*:{stage.target[1]}"]
    if not servers:
        return UdpStage(rig, case, binds=binds, keep=True)
    with servers:
        stage = UdpStage(rig, case, binds=binds, start=False, server_host=servers.theirs, keep=True)
    stage.penstock = rig.launch(stage.ini)
    return stage


def client_at(rig, neighbour, target):
    with neighbour:
        client = UdpClient(target, ("::" if ":" in target[0] else "0.0.0.0", 0))
    return rig.keep(client)


def several_addresses(rig, case):
    """On a machine with several addresses, each reply comes from the one to which the client has sent: on its own link, on another one, and link-local."""
    near, far = neighbours(rig, "near", "far")
    ip("addr", "add", "10.7.0.77/24", "dev", "near")
    ip("addr", "add", "fd00:7::77/64", "dev", "near", "nodad")
    with near:
        ip("route", "add", "10.8.0.0/24", "via", near.ours)
        ip("route", "add", "fd00:8::/64", "via", near.ours6)
        index = socket.if_nametoindex("peer")
    stage = stage_between(rig, case)
    local = next(line.split()[2].split("/")[0] for line in ipv6_addresses("near") if line.split()[2].startswith("fe80"))
    port = stage.target[1]
    for target in ((near.ours, port), ("10.7.0.77", port), (far.ours, port), (near.ours6, port), ("fd00:7::77", port), (far.ours6, port),
                   (local, port, 0, index)):
        client = client_at(rig, near, target)
        client.asked()
        client.asked(b"x" * 20000)


def ipv6_addresses(link):
    """Lines of `ip` about the addresses of a link, once its link-local address may be used."""
    def lines():
        text = subprocess.run(["ip", "-o", "-6", "addr", "show", "dev", link], capture_output=True, text=True, check=True).stdout
        return "fe80" in text and "tentative" not in text and [line.replace(link, "", 1).replace("inet6", "x", 1) for line in text.splitlines()]
    return wait_for(lines, "the link has a link-local address")


def fragments(rig, case):
    """Datagrams larger than the MTU of the links are relayed whole, in both directions, and so are those of exactly the MTU."""
    near, far = neighbours(rig, "near", "far")
    stage = stage_between(rig, case, far)
    for target in ((near.ours, stage.target[1]), (near.ours6, stage.target[1])):
        client = client_at(rig, near, target)
        for size in (1452, 1453, 1472, 1473, 9000, 60000, 65507):
            client.asked(bytes([size % 256]) * size)


def trains_over_links(rig, case):
    """Trains that fit into the MTU pass the links. Those whose datagrams are larger than the MTU of the backend's link are sent one by one."""
    near, far = neighbours(rig, "near", "far")
    stage = stage_between(rig, case, far)
    target = (near.ours, stage.target[1])
    for client, sizes in ((client_at(rig, near, target), (100, 1400, 1452, 1472)), (stage.client((far.ours, target[1]), (far.ours, 0)), (1452, 1473, 4000))):
        for size in sizes:
            sent = [b"%03d" % at + b"t" * (size - 3) for at in range(14)] + [b"short"]
            send_train(client.sock, sent, client.target)
            require(client.drain(15) == sent, f"a train of {size} bytes came back in another way")
    require(stage.totals()["dropped"] == 0, f"totals: {stage.totals()}")


def without_offload(rig, case):
    """Trains pass a link that cannot compute checksums or segment."""
    near, far = neighbours(rig, "near", "far")
    for word in ("tx", "tso", "gso"):
        done = subprocess.run(["ethtool", "-K", "far", word, "off"], capture_output=True, check=False)
        if done.returncode:
            raise Skip("ethtool cannot change the link")
    stage = stage_between(rig, case, far)
    client = client_at(rig, near, (near.ours, stage.target[1]))
    for size in (100, 1400):
        sent = [b"%03d" % at + b"t" * (size - 3) for at in range(30)]
        send_train(client.sock, sent, client.target)
        require(client.drain(30) == sent, f"a train of {size} bytes came back in another way")


def broadcast(rig, case):
    """A datagram to a broadcast address, or to all nodes of a link, is relayed once, and the reply comes from an address of that link."""
    near, _ = neighbours(rig, "near", "far")
    stage = stage_between(rig, case)
    local = next(line.split()[2].split("/")[0] for line in ipv6_addresses("near") if line.split()[2].startswith("fe80"))
    with near:
        index = socket.if_nametoindex("peer")
        ipv6_addresses("peer")
        four, six = rig.keep(datagram_socket(("0.0.0.0", 0))), rig.keep(datagram_socket(("::", 0)))
    four.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for sock, target, source in ((four, ("10.7.0.255", stage.target[1]), near.ours), (six, ("ff02::1", stage.target[1], 0, index), local)):
        sock.settimeout(5)
        for turn in range(3):
            sock.sendto(b"all %d" % turn, target)
            data, peer = sock.recvfrom(100)
            require(data == b"all %d" % turn and peer[0].split("%")[0] == source, f"{data!r} from {peer}, due was {source}")
    require(stage.servers[0].count == 6, f"the backend got {stage.servers[0].count} datagrams instead of 6")


def odd_sources(rig, case):
    """Datagrams from port 0 and from addresses to which no reply is possible are dropped. They do no harm to others."""
    near, _ = neighbours(rig, "near", "far")
    stage = stage_between(rig, case)
    port = stage.target[1]
    with near:
        raw = rig.keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
        raw6 = rig.keep(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP))
    for source, source_port in ((near.theirs, 0), ("0.0.0.0", 77), ("255.255.255.255", 77), ("224.0.0.5", 77), ("10.7.0.255", 77), ("127.0.0.1", 77)):
        udp = struct.pack("!HHHH", source_port, port, 8 + 3, 0) + b"odd"
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(near.ours))
        raw.sendto(header + udp, (near.ours, 0))
    raw6.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 6)
    raw6.sendto(struct.pack("!HHHH", 0, port, 8 + 3, 0) + b"odd", (near.ours6, 0))
    stage.penstock.wait_log(r"a source address to which no reply is possible")
    for target in ((near.ours, port), (near.ours6, port)):
        client_at(rig, near, target).asked()
    received = [data for data, _ in stage.servers[0].received]
    # The sender's kernel replaces 0.0.0.0 by its address. Ours drops all sources but port 0, and but the link's broadcast address: that one is relayed, and
    # the kernel refuses to send the reply.
    require(sorted(received) == [b"1", b"1", b"odd", b"odd"], f"the backend got {received}")
    require(stage.totals()["dropped"] == 3, f"totals: {stage.totals()}; those from port 0 of both families and a reply are due")


def remote_refusal(rig, case):
    """A neighbour's port is closed: its ICMP errors, which arrive later, move the flows to the other backend."""
    near, far = neighbours(rig, "near", "far")
    with far:
        stage = UdpStage(rig, case, 2, binds=lambda stage: [f"*:{stage.target[1]}"], start=False, server_host=far.theirs)
    stage.penstock = rig.launch(stage.ini)
    clients = [client_at(rig, near, (near.ours, stage.target[1])) for _ in range(6)]
    require({client.who() for client in clients} == {"b0", "b1"}, "one backend has all flows")
    stage.servers[0].close()
    wait_for(lambda: [client.retry(3) for client in clients] and {client.who() for client in clients} == {"b1"}, "all flows are on b1", 20)


def buffer_full(rig, case):
    """The link to the clients is too slow. What the send buffer has no room for is dropped and reported, and later replies arrive."""
    near, _ = neighbours(rig, "near", "far")
    stage = stage_between(rig, case)
    client = client_at(rig, near, (near.ours, stage.target[1]))
    client.asked()
    shaped = subprocess.run(["tc", "qdisc", "add", "dev", "near", "root", "tbf", "rate", "400kbit", "burst", "3000", "limit", "1000000"],
                            capture_output=True, text=True, check=False)
    if shaped.returncode:
        raise Skip(f"no slow links: {shaped.stderr}")
    for _ in range(100):
        client.send(b"x" * 1000)
    stage.penstock.wait_log("the send buffer is full; raise send_buffer")
    subprocess.run(["tc", "qdisc", "del", "dev", "near", "root"], check=True)
    wait_for(lambda: stage.servers[0].count == 101, "the backend has got all datagrams")
    while client.receive(0.2) is not None:
        pass
    client.asked()
    totals = stage.totals()
    require(totals["out"] == 102 and totals["back"] + totals["dropped"] == 102 and totals["dropped"] > 0, f"totals: {totals}")


CASES = (
    Case("udp-several-addresses", several_addresses.__doc__, body=several_addresses, ways=ENGINES),
    Case("udp-fragments", fragments.__doc__, body=fragments, ways=ENGINES),
    Case("udp-trains-over-links", trains_over_links.__doc__, body=trains_over_links, ways=ENGINES),
    Case("udp-trains-without-offload", without_offload.__doc__, body=without_offload, ways=ENGINES),
    Case("udp-broadcast", broadcast.__doc__, body=broadcast, ways=ENGINES),
    Case("udp-odd-sources", odd_sources.__doc__, body=odd_sources, ways=ENGINES),
    Case("udp-send-buffer-full", buffer_full.__doc__, body=buffer_full, listener={"send_buffer": "8k"}, ways=ENGINES),
    Case("udp-neighbour-refuses", remote_refusal.__doc__, body=remote_refusal, pool={"udp_idle_timeout": "4s"}, ways=ENGINES),
)
