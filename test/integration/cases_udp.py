"""UDP: addresses, boundaries, the choice of a backend, and what happens when one goes away."""

from case import ENGINES, Case
from rig import require, wait_for
from udp_peers import naming
from udp_stage import UdpStage


def burst(client, count, sizes=(100,)):
    """Sends numbered datagrams back to back. Returns them."""
    datagrams = [b"%06d" % number + b"x" * (sizes[number % len(sizes)] - 6) for number in range(count)]
    for data in datagrams:
        client.send(data)
    return datagrams


# ---- backends that go away ----

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


CASES = (
    Case("udp-refused-after-requests", refused_after_requests.__doc__, body=refused_after_requests, pool={"udp_requests": 3}, ways=ENGINES),
    Case("udp-refused-per-packet", refused_burst_per_packet.__doc__, body=refused_burst_per_packet, pool={"udp_per_packet": "yes"}, ways=ENGINES),
    Case("udp-refused-without-replies", refused_burst_per_packet.__doc__, body=refused_burst_per_packet, pool={"udp_responses": 0}, ways=ENGINES),
)
