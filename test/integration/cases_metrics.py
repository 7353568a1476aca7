"""GET /metrics of a running Penstock: its numbers are those of the traffic, and its form is what Prometheus expects."""
import http.client
import shutil
import subprocess

import metrics
from case import ENGINES, ONCE, Case, Stage
from peers import connect
from rig import Skip, require, wait_for

SESSIONS, SIZE = 12, 3000


class Scraper:
    """Adds `http` to a case's configuration, and asks it."""

    def __init__(self, rig, case, **settings):
        self.port = rig.ports.free()
        case.glob.update(http=f"127.0.0.1:{self.port}", lame_duck="off")
        self.stage = Stage(rig, case, **settings)

    def get(self, path, method="GET"):
        """(status, type, text)"""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request(method, path)
            answer = client.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read().decode()
        finally:
            client.close()

    def text(self, arguments=""):
        status, kind, text = self.get(f"/metrics{arguments}")
        require(status == 200 and kind == "text/plain; version=0.0.4; charset=utf-8", f"/metrics{arguments}: {status} {kind}: {text[:300]}")
        return text

    def value(self, name, **labels):
        """The sum of the series of this name that have these labels."""
        wanted = set(labels.items())
        found = [number for key, number in metrics.samples(self.text()).items() if key[0] == name and wanted <= set(key[1:])]
        require(found, f"there is no {name}{labels}")
        return sum(found)

    def wait_values(self, *rows):
        """Waits until each (number, name, labels) is so."""
        for number, name, labels in rows:
            wait_for(lambda: self.value(name, **labels) == number, f"{name}{labels} is {number}, not {self.value(name, **labels)}")


def exchange(client):
    """An echo of SIZE bytes."""
    client.sendall(b"x" * SIZE)
    left = SIZE
    while left:
        data = client.recv(left)
        require(data, "the session ended before its echo")
        left -= len(data)


BYTES = (("penstock_listener_bytes_total", {"listener": "main"}), ("penstock_pool_bytes_total", {"pool": "main"}),
         ("penstock_backend_bytes_total", {"pool": "main"}))


def wait_bytes(scraper, number):
    scraper.wait_values(*((number, name, {**labels, "direction": direction}) for name, labels in BYTES for direction in ("in", "out")))


def numbers(rig, case):
    scraper = Scraper(rig, case)
    for _ in range(SESSIONS):
        with connect(scraper.stage.target) as client:
            exchange(client)
    ended = {"code": "--", "listener": "main"}
    scraper.wait_values((SESSIONS, "penstock_listener_ended_total", ended), (0, "penstock_sessions", {}))
    wait_bytes(scraper, SESSIONS * SIZE)
    with connect(scraper.stage.target) as client:
        exchange(client)
        wait_bytes(scraper, (SESSIONS + 1) * SIZE)
        scraper.wait_values(
            (1, "penstock_sessions", {}), (1, "penstock_worker_sessions", {}), (1, "penstock_listener_sessions", {}), (1, "penstock_pool_sessions", {}),
            (1, "penstock_backend_sessions", {}), (SESSIONS + 1, "penstock_listener_accepted_total", {}),
            (SESSIONS + 1, "penstock_pool_sessions_total", {}), (SESSIONS + 1, "penstock_backend_sessions_total", {}),
            (SESSIONS + 1, "penstock_pool_connect_seconds_count", {}), (SESSIONS + 1, "penstock_backend_first_byte_seconds_count", {}),
            (SESSIONS, "penstock_pool_session_seconds_count", {}), (2, "penstock_pool_usable_backends", {}), (0, "penstock_listener_refused_total", {}),
            (1, "penstock_ready", {}))
    scraper.wait_values((SESSIONS + 1, "penstock_listener_ended_total", ended))
    wait_bytes(scraper, (SESSIONS + 1) * SIZE)
    shares = [scraper.value("penstock_backend_sessions_total", backend=f"b{number}") for number in range(2)]
    require(min(shares) > 0, f"round robin gave the backends {shares} sessions")


def form(rig, case):
    scraper = Scraper(rig, case)
    scraper.wait_values((9, "penstock_backend_state", {"backend": "b1"}), (1, "penstock_backend_state", {"backend": "b0"}))
    table = metrics.table()
    for arguments in ("", "?histograms=backend", "?level=pool", "?pool=main&level=process"):
        text = scraper.text(arguments)
        for name, *labels in metrics.samples(text):
            require(name in table, f"penstock-metrics(7) does not have {name}")
            require({label for label, _ in labels} == table[name].labels, f"penstock-metrics(7) has other labels for {name} than {labels}")
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
            require(done.returncode == 0, f"promtool, /metrics{arguments}: {done.stderr}")
    reasons = [dict(key[1:]) for key in metrics.samples(scraper.text()) if key[0] == "penstock_backend_reason_info"]
    require([row["backend"] for row in reasons] == ["b1"] and "refused" in reasons[0]["reason"], f"reasons are {reasons}")
    wait_for(lambda: scraper.value("penstock_backend_probes_failed_total", backend="b1") >= 3, "failed probes are counted")
    wait_for(lambda: scraper.value("penstock_pool_probes_total", result="passed") >= 1, "probes that passed are counted")
    for arguments, status in ("?pool=other", 404), ("?level=all", 400), ("?levels=pool", 400):
        require(scraper.get(f"/metrics{arguments}")[0] == status, f"/metrics{arguments} is answered with {scraper.get(f'/metrics{arguments}')}")
    require(scraper.get("/metrics", "HEAD")[0] == 200 and scraper.get("/metrics", "DELETE")[0] in (403, 405), "HEAD or DELETE")
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")


CASES = (
    Case("metrics-numbers", "counters and gauges are those of the traffic", body=numbers, backends=("echo", "echo"),
         pool={"balance": "round_robin"}, ways=ENGINES),
    Case("metrics-form", "a scrape has the series that the page describes, promtool takes it, and wrong arguments are refused", body=form,
         backends=("echo", "dead"), pool={"check": "tcp", "check_interval": "100ms"}, ways=ONCE),
)
