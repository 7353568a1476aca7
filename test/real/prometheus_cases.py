"""A real Prometheus scrapes Penstock every second and evaluates the alert rules of etc/, while backends die and come back."""
import json
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

import metrics
from backends import Backend
from programs import Case, Program, must
from rig import Failure, require, wait_for

# The rules as they are, except for their times, so that the case does not take minutes: every `for` is 1 s, and every range 6 s.
SHORTER = ((r"for: \w+", "for: 1s"), (r"\[\d+m\]", "[6s]"))

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs: [{{job_name: penstock, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
"""


class Prometheus:
    def __init__(self, rig, target_port):
        rules = (metrics.ROOT / "etc/prometheus/penstock.rules.yml").read_text()
        for long, short in SHORTER:
            rules = re.sub(long, short, rules)
        config = rig.write("prometheus.yml", CONFIG.format(rules=rig.write("rules.yml", rules), port=target_port))
        self.port = rig.ports.free()
        rig.keep(Program(rig, "prometheus", ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={rig.path('tsdb')}",
                                             f"--web.listen-address=127.0.0.1:{self.port}"], self.port))
        wait_for(self._is_ready, "Prometheus has loaded its data", 20)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except urllib.error.HTTPError:
            return False

    def ask(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """[({label: value}, number)] of an instant query."""
        return [(row["metric"], float(row["value"][1])) for row in self.ask("query", query=expression)["result"]]

    def firing(self):
        """{what an alert is about: its annotations} of the alerts that fire now."""
        return {subject(alert["labels"]): alert["annotations"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def wait_firing(self, expected):
        """Waits until these alerts and no other fire. Returns their annotations."""
        seen = {}

        def settled():
            nonlocal seen
            seen = self.firing()
            return set(seen) == set(expected)
        try:
            wait_for(settled, "the right alerts fire", 30, 0.1)
        except Failure:
            raise Failure(f"{sorted(seen)} fire instead of {sorted(expected)}") from None
        return seen


def subject(labels):
    return (labels["alertname"], *(labels[name] for name in ("listener", "pool", "backend") if name in labels))


class Visitors:
    """Opens sessions through the port, one after another, until it is closed."""

    def __init__(self, port):
        self.port, self.stopping = port, threading.Event()
        self.thread = threading.Thread(target=self._visit, daemon=True)
        self.thread.start()

    def _visit(self):
        while not self.stopping.wait(0.02):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 2) as client:
                    client.sendall(b"x")
                    client.recv(1)
            except OSError:
                pass  # no backend is there

    def close(self):
        self.stopping.set()
        self.thread.join()


def alerts(rig):
    """Each alert fires for what happens, clears when it is over, and no other one ever fires."""
    ports, port, admin = [rig.ports.free() for _ in range(3)], rig.ports.free(), rig.ports.free()
    backends = [Backend(("127.0.0.1", number)) for number in ports]
    penstock = rig.launch(rig.ini([f"127.0.0.1:{number}" for number in ports], [f"127.0.0.1:{port}"], glob={"http": f"127.0.0.1:{admin}", "lame_duck": "off"},
                                  pool={"check": "tcp", "check_interval": "200ms", "eject_after": "off"}))
    rig.keep(Visitors(port))
    prometheus = Prometheus(rig, admin)
    down = [("PenstockBackendDown", "main", f"b{number}") for number in range(3)]
    degraded, empty, refused = ("PenstockPoolDegraded", "main"), ("PenstockPoolWithoutBackends", "main"), ("PenstockClientsRefused", "main")
    wait_for(lambda: prometheus.query("rate(penstock_pool_sessions_total[6s]) > 0"), "Prometheus sees sessions", 20)
    prometheus.wait_firing([])

    def kill(number):
        backends[number].close(kill=True)

    def restart(number):
        backends[number] = Backend(("127.0.0.1", ports[number]))

    kill(0)
    annotations = prometheus.wait_firing([down[0], degraded])
    require("refused" in annotations[down[0]]["description"], f"the alert does not give the reason: {annotations}")
    restart(0)
    prometheus.wait_firing([])
    for number in range(3):
        kill(number)
    prometheus.wait_firing([*down, empty, refused])
    for number in range(3):
        restart(number)
    prometheus.wait_firing([])
    for backend in backends:
        rig.keep(backend)
    penstock.stop()
    prometheus.wait_firing([("PenstockNotScraped",)])
    fired = {subject(labels) for labels, _ in prometheus.query('max_over_time(ALERTS{alertstate="firing"}[10m])')}
    require(fired == {*down, degraded, empty, refused, ("PenstockNotScraped",)}, f"other alerts have fired: {sorted(fired)}")


CASES = (Case("prometheus-alerts", ("prometheus",), alerts),)
