"""UDP with random keys and random traffic, while backends go away and come back. Whatever is lost, penstock must neither fail an assertion nor hang."""
import random
import signal
import time

from backends import Backend
from case import ENGINES, Case
from udp_peers import send_train
from udp_stage import UdpStage

SEEDS, SECONDS = 8, 1.0


def answer_some(data, peer):
    return [data] * (data[:1] in b"abc")


def random_stage(rig, case, chance):
    """Starts a penstock with random keys, and backends that answer to some of the datagrams."""
    pool = {"balance": chance.choice(("round_robin", "least_conn", "random", "consistent_hash")),
            "udp_idle_timeout": chance.choice(("20ms", "100ms", "1s")),
            "udp_requests": chance.choice(("off", "off", 1, 2, 3, 10)),
            "udp_responses": chance.choice(("auto", "auto", 1, 2, 0)),
            "udp_per_packet": chance.choice(("no", "no", "yes"))}
    if pool["udp_responses"] != 0:
        pool["proxy_protocol"] = chance.choice(("off", "off", "v2", "v2_first"))
    if pool["balance"] == "consistent_hash":
        pool["hash_key"] = chance.choice(("source_ip", "source_ip_port", "quic_cid"))
    if chance.random() < 0.3:
        pool.update({"check": "tcp", "check_interval": "20ms", "check_timeout": "20ms", "rise": 1, "fall": 1})
    listener = {"max_flows": chance.choice(("off", 5, 200)), "max_flows_per_source": chance.choice(("off", 3, 50)), "flow_rate": chance.choice(("off", 500)),
                "protocol": "udp" if pool.get("proxy_protocol", "off") != "off" else chance.choice(("udp", "tcp+udp"))}
    glob = {"log_level": "info", "workers": chance.choice((1, 2, 3)), "drain_timeout": chance.choice(("0s", "300ms")), "max_flows": chance.choice(("auto", 20))}
    case = Case(**{**vars(case), "pool": pool, "listener": listener, "glob": glob})
    count = chance.choice((1, 2, 4))
    answers = [answer_some] * count
    rig.main = None
    return UdpStage(rig, case, answers, host=chance.choice(("127.0.0.1", "127.0.0.1", "::1")), options=chance.choice((None, "max_connections=10")),
                     binds=chance.choice((None, lambda stage: [f"*:{stage.target[1]}"])))


def send_some(chance, client):
    """Sends a few or many datagrams and trains of random sizes, and reads what has come back."""
    for _ in range(chance.choice((1, 5, 100))):
        size = chance.choice((0, 1, 100, 100, 1400, 1452, 9000, 65507))
        data = chance.choice((b"a", b"x", b"\xc3")) * size
        if 0 < size <= 1400 and chance.random() < 0.5:
            send_train(client.sock, [data] * chance.choice((2, 40)), client.target)
        else:
            client.send(data)
    while client.receive(0) is not None:
        pass


class Faults:
    """Closes backends, and the ports at which they are probed, and opens them again."""

    def __init__(self, stage, chance, probed):
        self.stage, self.chance, self.probed, self.checks = stage, chance, probed, {}

    def happen(self):
        stage, number = self.stage, self.chance.randrange(len(self.stage.servers))
        if self.chance.random() < 0.3:
            if stage.servers[number].closed:
                stage.revive(number, answer_some)
            else:
                stage.servers[number].close()
        if self.probed and self.chance.random() < 0.2:
            if number in self.checks:
                self.checks.pop(number).close()
            else:
                self.checks[number] = Backend((stage.server_host, stage.ports[number]), "check", "sink")
        if self.chance.random() < 0.02:
            stage.penstock.signal(signal.SIGSTOP)
            stage.penstock.signal(signal.SIGCONT)

    def close(self):
        for check in self.checks.values():
            check.close()


def random_traffic(rig, case):
    """Eight sets of random keys, each with bursts and trains of many clients while backends come and go, and then a stop."""
    for seed in range(SEEDS):
        chance = random.Random(f"{rig.engine}{seed}")
        stage = random_stage(rig, case, chance)
        clients = stage.several(chance.choice((3, 30)))
        faults = rig.keep(Faults(stage, chance, "check = tcp" in open(stage.ini).read()))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for client in chance.sample(clients, 3):
                send_some(chance, client)
            faults.happen()
            stage.penstock.require_alive()
        stage.penstock.stop(5)


CASES = (
    Case("udp-random-traffic", random_traffic.__doc__, body=random_traffic, ways=ENGINES, seconds=60),
)
