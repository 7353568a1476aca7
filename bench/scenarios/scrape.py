"""1,000 backends whose metrics are scraped every second: what that does to the latency of sessions beside it."""
import os
import socket
import threading
import time

import load
from echoes import Setup, measured
from proxies import LOAD_CPU, free_port
from rows import Bar, Contender, Row

PROBED, CONNECTIONS, RATE = 1000, 64, 10000


class Scraper:
    """Scrapes once a second in a thread, as Prometheus does, but at little cost: it does not look at what it reads. `bytes` is the size of the last scrape."""

    def __init__(self, port):
        self.port, self.bytes, self.stopping = port, 0, threading.Event()
        self.thread = threading.Thread(target=self._scrape)
        self.thread.start()

    def _scrape(self):
        os.sched_setaffinity(0, {LOAD_CPU})  # of this thread
        buffer = bytearray(1 << 20)
        while True:
            size = 0
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                while received := client.recv_into(buffer):
                    size += received
            self.bytes = size
            if self.stopping.wait(1):
                return

    def stop(self):
        self.stopping.set()
        self.thread.join()


def measure(rig, contender):
    """Both have the 1,000 backends and probe them, so that only the scrapes differ. All threads of the proxy share its one CPU."""
    server = load.Server(rig.programs, "echo", "0.0.0.0")
    port = free_port()
    try:
        probed = [(f"127.0.{index // 250}.{index % 250 + 1}", server.address[1]) for index in range(PROBED)]
        with Setup(rig, Contender(contender.name, contender.kind, probed=probed, http=port)) as setup:
            setup.run("--work", "rpc", "--size", "128", "--connections", "1", "--duration", "1s")  # each backend has been probed once
            scraper = Scraper(port) if contender.settings["scraped"] else None
            before, began = setup.proxy.cpu_s("penstock-admin"), time.monotonic()
            try:
                result = measured(setup, rig.seconds, "--work", "rpc", "--size", "128", "--connections", str(CONNECTIONS), "--rate", str(RATE))
            finally:
                if scraper:
                    scraper.stop()
            result["admin_ms"] = (setup.proxy.cpu_s("penstock-admin") - before) / (time.monotonic() - began) * 1e3
            result["scrape_kb"] = scraper.bytes / 1e3 if scraper else 0
    finally:
        server.stop()
    return result


ROWS = [Row("scrape-1000", "metrics of 1,000 backends scraped every second beside 10,000 requests a second: latency, CPU of the admin thread per second",
            [Contender("scraped", "penstock", scraped=True), Contender("unscraped", "penstock", scraped=False)], measure,
            [Bar("p99_us", 1.15, "us", against="unscraped"), Bar("p50_us", 1.1, "us", against="unscraped"), Bar("admin_ms", unit="ms/s"),
             Bar("scrape_kb", unit="kB")], seconds=3)]
