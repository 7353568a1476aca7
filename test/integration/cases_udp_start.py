"""UDP: starts that fail or find less than they want: ports in use, few descriptors, few local ports, no privilege."""
import resource
from pathlib import Path

import needs
import sandbox
from case import ENGINES, ONCE, Case
from cases_lifecycle import fails
from peers import listen
from rig import require, settled, wait_for
from udp_peers import datagram_socket
from udp_stage import UdpStage


def address_in_use(rig, case):
    """If another program or another penstock has the UDP port, the start fails with a line that names it. A TCP socket on that port does not matter."""
    port = rig.ports.free()
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{port}"], listener={"protocol": "udp"})
    with datagram_socket(("127.0.0.1", port)):
        text = fails(rig, ["run", "-c", ini], r"in use", lines=None)
        require(f"127.0.0.1:{port}" in text, f"not clear which: {text}")
    rig.keep(listen(("127.0.0.1", port)))
    stage = UdpStage(rig, case, binds=lambda stage: [f"127.0.0.1:{port}"])
    text = fails(rig, ["run", "-c", ini], r"in use", lines=None)
    require(f"127.0.0.1:{port}" in text, f"not clear which: {text}")
    stage.client(("127.0.0.1", port)).asked()


def restarts(rig, case):
    """Penstock can be started again at once on the port of one that has just ended, several times."""
    for _ in range(5):
        stage = UdpStage(rig, case)
        stage.client().asked()
        rig.main = stage.penstock
        stage.idle()
        stage.penstock.stop()
        again = rig.launch(stage.ini)
        stage.client().asked()
        wait_for(lambda again=again: again.sockets() <= again.sockets_at_start, "all flows have ended")
        again.stop()


FEW = (
    ("udp", {"max_flows": 100000}, r"max_flows = 100000 needs \d+ open descriptors, but the limit is 1000: .* set max_flows to at most \d+"),
    ("tcp+udp", {"max_flows": 100000}, r"max_connections = auto and max_flows = 100000 need more than the 1000 open descriptors"),
    ("tcp+udp", {"max_connections": 100000}, r"max_connections = 100000 and max_flows = auto need more than the 1000 open descriptors"),
    ("tcp+udp", {"max_connections": 400, "max_flows": 400}, r"max_connections = 400 and max_flows = 400 need more than the 1000 open descriptors"),
)


def few_descriptors(rig, case):
    """Limits that need more descriptors than there are prevent the start, and the message has the numbers as configured. Without any, they are divided."""
    for protocol, glob, pattern in FEW:
        ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], glob, {"protocol": protocol})
        fails(rig, ["run", "-c", ini], pattern, limits={resource.RLIMIT_NOFILE: 1000})
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], listener={"protocol": "udp"})
    fails(rig, ["run", "-c", ini], r"open descriptors is too low: raise it .* to at least \d+", limits={resource.RLIMIT_NOFILE: 40})
    for protocol, pattern in (("udp", r"at most 8 connections and ([78]\d\d) UDP flows"), ("tcp+udp", r"at most (2\d\d) connections and 4\d\d UDP flows")):
        ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"workers": 2}, {"protocol": protocol})
        penstock = rig.launch(ini, limits={resource.RLIMIT_NOFILE: 1000})
        penstock.wait_log(pattern)
        penstock.stop()


def few_ports(rig, case):
    """When the network namespace has no more local ports, further clients are dropped and told of, open flows continue, and new ones follow as old ones end."""
    needs.own_network()
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40019")
    stage = UdpStage(rig, case)
    clients = [stage.client(source=("127.0.0.1", 50000 + number)) for number in range(40)]
    for client in clients:
        client.send(b"x")
    settled(lambda: stage.servers[0].count, "the datagrams were relayed or dropped", 0.2)
    served = [client for client in clients if client.receive(0.02) is not None]
    require(15 <= len(served) <= 20, f"{len(served)} clients were served by 20 ports")
    stage.penstock.wait_log(r"no socket to a backend could be made; raise the descriptor limit.* \((EAGAIN|EADDRNOTAVAIL)\)")
    for client in served:
        client.asked()
    stage.idle()
    next(client for client in clients if client not in served).asked()


def unprivileged(rig, case):
    """Without any privilege, flows work, and a burst of the size that the system's limits allow is not lost."""
    needs.root()
    stage = UdpStage(rig, case, start=False)
    stage.penstock = rig.launch(stage.ini, user=sandbox.NOBODY)
    client = stage.client()
    sent = [b"%d" % number for number in range(100)]
    for data in sent:
        client.send(data)
    require(client.drain(100) == sent, "a burst of 100 did not come back")


CASES = (
    Case("udp-port-in-use", address_in_use.__doc__, body=address_in_use, ways=ENGINES),
    Case("udp-restarts", restarts.__doc__, body=restarts, pool={"udp_idle_timeout": "50ms"}, ways=ENGINES),
    Case("udp-few-descriptors", few_descriptors.__doc__, body=few_descriptors, ways=ONCE),
    Case("udp-few-ports", few_ports.__doc__, body=few_ports, pool={"udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-unprivileged", unprivileged.__doc__, body=unprivileged, ways=ENGINES),
)
