"""UDP flows: when they begin and end, what limits them, what they cost, and what a stop does to them."""
import signal
import time
from collections import Counter

from case import ENGINES, Case
from rig import Skip, require, settled, wait_for
from udp_peers import send_train
from udp_stage import UdpStage

LASTING = {"udp_idle_timeout": "9s"}


# ---- when a flow ends ----

def expiry(rig, case):
    """A flow ends udp_idle_timeout after its last datagram. One in which datagrams pass, in either direction, does not end."""
    stage = UdpStage(rig, case, keep=True)
    silent, asking, hearing = stage.several(3)
    for client in (silent, asking, hearing):
        client.asked()
    flows = stage.servers[0].peers
    require(len(flows) == 3, "not one socket for each flow")
    hearing.asked(b"mine")
    seen = len(flows)
    mine = stage.servers[0].received[-1][1]
    for turn in range(14):
        asking.asked(b"%d" % turn)
        stage.servers[0].sock.sendto(b"news", mine)
        require(hearing.receive() == b"news", "a flow that only hears has ended")
        silent.silent(0.1)
    require(len(flows) == seen, "a flow was replaced by another one")
    rows = stage.ends(3)
    by_client = {row["client"].rsplit(":", 1)[1]: row for row in rows}
    due = {silent: (1, 1), asking: (15, 15), hearing: (2, 16)}
    for client, (sent, received) in due.items():
        row = by_client[str(client.sock.getsockname()[1])]
        require((int(row["datagrams_in"]), int(row["datagrams_out"])) == (sent, received), f"datagrams: {row}")
        require(row["end"] == "--" and "udp_idle_timeout" in row["reason"], f"end: {row}")
        least, most = (495, 1000) if client is silent else (1750, 3500)
        require(least <= float(row["duration_ms"]) <= most, f"lasted {row['duration_ms']} ms")


def responses(rig, case):
    """The flow ends as soon as as many replies have passed as udp_responses announces, and not before."""
    count = int(case.pool["udp_responses"])
    stage = UdpStage(rig, case, [lambda data, peer: [data] * int(data or b"0")])
    client = stage.client()
    for turn in range(5):
        client.ask(b"1")
        if count == 2:  # one reply is outstanding
            client.silent(0.1)
            require(stage.flows() == 1, "the flow has ended although a reply is outstanding")
            client.send(b"3")
            require(len(client.drain(3)) == 3, "a reply is missing")
        require(stage.ends(turn + 1)[-1]["reason"] == '"all replies have arrived"', f"end: {rig.access()[-1]}")


def no_responses(rig, case):
    """With udp_responses = 0, all clients share one flow for each backend and worker. Replies are dropped and reported."""
    stage = UdpStage(rig, case, 2, keep=True)
    clients = stage.several(50)
    for client in clients:
        for at in range(10):
            client.send(b"log %d" % at)
    wait_for(lambda: sum(server.count for server in stage.servers) == 500, "all datagrams have arrived")
    require(all(abs(server.count - 250) <= 2 for server in stage.servers), f"backends got {[server.count for server in stage.servers]}")
    require(sum(len(server.peers) for server in stage.servers) <= 4, "more flows than workers and backends")
    stage.penstock.wait_log("replies, although udp_responses = 0")
    for client in clients:
        client.silent(0)
    stage.idle()
    require(all(row["client"] == "-" for row in rig.access(2)), f"clients: {rig.access()}")


def requests(rig, case):
    """udp_requests datagrams of a client go to one backend through one flow, those of a train too. The next ones begin another flow. All replies arrive."""
    limit = int(case.pool["udp_requests"])
    stage = UdpStage(rig, case, [lambda data, peer: [data]] * 2, keep=True)
    for train in (False, True):
        client = stage.client()
        sent = [b"%03d" % at for at in range(limit * 8)]
        for server in stage.servers:
            server.received = []
        if train:
            send_train(client.sock, sent, stage.target)
        else:
            for data in sent:
                client.send(data)
        require(sorted(client.drain(len(sent))) == sent, "a reply is missing")
        flows = {}
        for server in stage.servers:
            require(len(server.received) == limit * 4, f"{server.name} got {len(server.received)} of {limit * 8} datagrams")
            for data, peer in server.received:
                flows.setdefault(peer, []).append(int(data))
        require(len(flows) == 8, f"{len(flows)} flows")
        for numbers in flows.values():
            require(numbers == list(range(numbers[0], numbers[0] + limit)) and numbers[0] % limit == 0, f"a flow has {numbers}")


# ---- limits ----

def flow_limit(rig, case):
    """At the limit of flows, further clients are not served, and open flows are not affected. When flows end, new clients are served."""
    stage = UdpStage(rig, case)
    limit = int(case.glob.get("max_flows") or case.listener["max_flows"])
    clients = stage.several(limit)
    for client in clients:
        client.asked()
    late = stage.several(6)
    for client in late:
        client.send(b"x")
        client.silent(0.03)
    for client in clients:
        client.asked()
    require(stage.flows() == limit, f"{stage.flows()} flows, the limit is {limit}")
    owner = "listener" if case.listener else "process"
    stage.penstock.wait_log(rf"dropped \d+ datagrams?: the {owner} has max_flows open flows")
    for client in clients:
        client.asked()
    stage.idle()
    for client in late:
        client.asked()
    totals = stage.totals()
    require(totals["refused"] == totals["dropped"] == 6, f"totals: {totals}")


def flows_per_source(rig, case):
    """Each client address has at most max_flows_per_source flows, over both workers. Others are not affected."""
    stage = UdpStage(rig, case)
    for number in range(2, 8):
        clients = [stage.client(source=(f"127.0.0.{number}", 0)) for _ in range(12)]
        for client in clients[:3]:
            client.asked()
        for client in clients[3:]:
            client.send(b"x")
        settled(lambda: stage.servers[0].count, "the datagrams were relayed or dropped", 0.1)
        require(stage.servers[0].count == 3 * (number - 1), f"{stage.servers[0].count} flows of {number - 1} sources, each may have 3")
    stage.penstock.wait_log("a client address has max_flows_per_source open flows")
    require(stage.flows() == 18, f"{stage.flows()} flows")
    stage.idle()
    stage.client(source=("127.0.0.2", 0)).asked()
    require(stage.totals()["refused"] == 6 * 9, f"totals: {stage.totals()}")


def flow_rate(rig, case):
    """New flows begin no faster than flow_rate, over both workers; open flows are not affected."""
    stage = UdpStage(rig, case)
    steady = stage.client()
    steady.asked()
    began = time.monotonic()
    while time.monotonic() - began < 2:
        clients = stage.several(20)
        for client in clients:
            client.send(b"x")
        steady.asked()
        for client in clients:
            client.receive(0.001)
            client.close()
    took = time.monotonic() - began
    rate = int(case.listener["flow_rate"])
    flows = len(stage.servers[0].peers) - 1
    require(rate * took * 0.8 < flows <= rate * (took + 0.1) + 1, f"{flows} flows in {took:.2f} s at a rate of {rate}")
    stage.penstock.wait_log("more new flows than flow_rate allows")


# ---- costs ----

def memory(rig, case):
    """Five thousand more flows are open at once. Each costs at most 512 bytes, besides the tables that have the size of the limit. All of them expire."""
    if rig.sanitized:
        raise Skip("a sanitizer's memory says nothing about penstock")
    stage = UdpStage(rig, case)

    def open_flows(first, count):
        for number in range(first, first + count):
            client = stage.client(source=(f"127.7.{number // 100}.{number % 100 + 1}", 0))
            client.asked()
            client.close()
        require(stage.flows() == first + count, f"{stage.flows()} flows are open, not {first + count}")
        return stage.penstock.rss_kb() * 1024

    before = open_flows(0, 2500)
    grown = open_flows(2500, 5000) - before
    require(grown <= 512 * 5000, f"{grown / 5000:.0f} bytes for each flow")
    stage.idle(25)


# ---- the end ----

def drain(rig, case):
    """After TERM, a reply that is outstanding still arrives, new clients are not served, and penstock ends when the flows are idle."""
    stage = UdpStage(rig, case, [lambda data, peer: [] if data == b"later" else [data]], keep=True)
    client, late = stage.several(2)
    client.asked()
    client.send(b"later")
    wait_for(lambda: stage.servers[0].received[-1][0] == b"later", "the request has arrived")
    stage.penstock.signal(signal.SIGTERM)
    stage.penstock.wait_log("accepting stops")
    late.send(b"x")
    stage.servers[0].sock.sendto(b"reply", stage.servers[0].received[-1][1])
    require(client.receive() == b"reply", "the outstanding reply is lost")
    client.asked()
    late.silent(0.1)
    stage.penstock.wait_log("penstock is stopping, and the client has no flow yet")
    began = time.monotonic()
    require(stage.penstock.wait_exit(5) == 0, "status is not 0")
    require(time.monotonic() - began > 0.5, "ended before the flow was idle")
    require(rig.access(1)[0]["datagrams_out"] == "3", f"access log: {rig.access()}")


def drain_timeout(rig, case):
    """A flow that stays busy ends at drain_timeout."""
    stage = UdpStage(rig, case)
    client = stage.client()
    client.asked()
    stage.penstock.signal(signal.SIGTERM)
    began = time.monotonic()

    def ended():
        client.send(b"busy")
        client.receive(0.02)
        return not stage.penstock.alive()

    wait_for(ended, "penstock has ended", 5)
    require(0.9 <= time.monotonic() - began < 2.5, f"ended {time.monotonic() - began:.2f} s after TERM, drain_timeout is 1 s")
    require(stage.penstock.wait_exit() == 0, "status is not 0")
    require(rig.access(1)[0]["end"] == "KD", f"access log: {rig.access()}")


def second_signal(rig, case):
    """A second TERM ends penstock at once."""
    stage = UdpStage(rig, case)
    clients = stage.several(20)
    for client in clients:
        client.asked()
    stage.penstock.signal(signal.SIGTERM)
    stage.penstock.wait_log("accepting stops")
    clients[0].asked()
    stage.penstock.signal(signal.SIGTERM)
    require(stage.penstock.wait_exit(2) == 0, "status is not 0")
    require(Counter(row["end"] for row in rig.access(20)) == {"KD": 20}, f"access log: {rig.access()}")


def last_reply(rig, case):
    """During a stop, the reply with which the last flow ends is not lost, and penstock ends at once after it."""
    for _ in range(10):
        stage = UdpStage(rig, case, [lambda data, peer: []], keep=True)
        client = stage.client()
        client.send(b"last")
        wait_for(lambda: stage.servers[0].count == 1, "the request has arrived")
        stage.penstock.signal(signal.SIGTERM)
        stage.penstock.wait_log("accepting stops")
        stage.servers[0].sock.sendto(b"reply", stage.servers[0].received[0][1])
        require(client.receive() == b"reply", "the reply is lost")
        require(stage.penstock.wait_exit(2) == 0, "status is not 0")


def idle_stop(rig, case):
    """Without open flows, TERM ends penstock at once."""
    stage = UdpStage(rig, case)
    stage.client().asked()
    stage.ends(1)
    stage.penstock.signal(signal.SIGTERM)
    require(stage.penstock.wait_exit(2) == 0, "status is not 0")


CASES = (
    Case("udp-expiry", expiry.__doc__, body=expiry, pool={"udp_idle_timeout": "500ms"}, ways=ENGINES),
    Case("udp-one-response", responses.__doc__, body=responses, pool={"udp_responses": 1, **LASTING}, ways=ENGINES),
    Case("udp-two-responses", responses.__doc__, body=responses, pool={"udp_responses": 2, **LASTING}, ways=ENGINES),
    Case("udp-no-responses", no_responses.__doc__, body=no_responses, pool={"udp_responses": 0}, ways=ENGINES),
    Case("udp-one-request", requests.__doc__, body=requests, pool={"udp_requests": 1}, ways=ENGINES),
    Case("udp-three-requests", requests.__doc__, body=requests, pool={"udp_requests": 3}, ways=ENGINES),
    Case("udp-max-flows", flow_limit.__doc__, body=flow_limit, listener={"max_flows": 9}, pool={"udp_idle_timeout": "2s"}, ways=ENGINES),
    Case("udp-max-flows-of-the-process", flow_limit.__doc__, body=flow_limit, glob={"max_flows": 10}, pool={"udp_idle_timeout": "2s"}, ways=ENGINES),
    Case("udp-max-flows-per-source", flows_per_source.__doc__, body=flows_per_source, listener={"max_flows_per_source": 3},
         pool={"udp_idle_timeout": "4s"}, ways=ENGINES),
    Case("udp-flow-rate", flow_rate.__doc__, body=flow_rate, glob={"drain_timeout": "1s"}, listener={"flow_rate": 50}, pool={"udp_idle_timeout": "3s"}, ways=ENGINES),
    Case("udp-memory", memory.__doc__, body=memory, glob={"log_level": "info"}, pool={"udp_idle_timeout": "9s"}, ways=ENGINES, seconds=60),
    Case("udp-drain", drain.__doc__, body=drain, glob={"drain_timeout": "8s"}, ways=ENGINES),
    Case("udp-drain-timeout", drain_timeout.__doc__, body=drain_timeout, glob={"drain_timeout": "1s"}, ways=ENGINES),
    Case("udp-second-signal", second_signal.__doc__, body=second_signal, glob={"drain_timeout": "20s"}, pool=LASTING, ways=ENGINES),
    Case("udp-last-reply", last_reply.__doc__, body=last_reply, pool={"udp_responses": 1, **LASTING}, ways=ENGINES),
    Case("udp-idle-stop", idle_stop.__doc__, body=idle_stop, pool={"udp_responses": 1, **LASTING}, ways=ENGINES),
)
