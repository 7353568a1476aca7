"""Health checks: HTTP answers, and the ports that probes use. cases_balance.py tests that sessions avoid backends that are down."""
import contextlib
import re
import select
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import needs
from case import ENGINES, ONCE, Case, Stage
from cases_balance import CHECKED, greetings, settle
from peers import listen
from rig import holds_for, require


def http_check(rig, case):
    """With check = http, a status outside the range marks the backend down, and one inside it marks it up."""
    status = {0: 200, 1: 503}

    def site(number):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status[number] if self.path == "/health" else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
    sites = [site(0), site(1)]
    case = Case(**{**vars(case), "backends": tuple(("greet", f"check_port={server.server_port}") for server in sites)})
    stage = Stage(rig, case)
    stage.penstock.wait_log(r"b1\b.*\bdown")
    settle(stage.target, ["b0"])
    require(greetings(stage.target, 6) == {"b0": 6}, "a session went to the backend that answers 503")
    status[1] = 204
    stage.penstock.wait_log(r"b1\b.*\bup\b")
    settle(stage.target, ["b0", "b1"])
    require(greetings(stage.target, 6)["b1"] == 3, "the backend that answers 204 is not used")
    for server in sites:
        server.shutdown()
        server.server_close()


def cut_off_server(rig, status, end):
    """Starts an HTTP server that answers with status[0] and only the beginning of a body. Its connections end with a reset, because it does not read the
    request ("unread"), or normally but before the last chunk ("chunk"), or not at all ("open"). Returns its port."""
    listener = rig.keep(listen(("127.0.0.1", rig.ports.free()), seconds=None))

    def answer(connection):
        length = "Transfer-Encoding: chunked\r\n\r\n6\r\n" if end == "chunk" else "\r\n"
        with connection, contextlib.suppress(OSError):
            select.select([connection], [], [])
            if end != "unread":
                connection.recv(65536)
            connection.sendall(f"HTTP/1.1 {status[0]} Status\r\n{length}synced\r\n".encode())
            while end == "open" and connection.recv(65536):
                pass

    def accept():
        with contextlib.suppress(OSError):  # the listener is closed at the end of the case
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def http_answer_cut_off(rig, case):
    """With check = http, an answer is judged by the part that has arrived, long before check_timeout, however its connection ends."""
    status = [200]
    servers = [cut_off_server(rig, status, end) for end in ("unread", "chunk", "open")]
    penstock = rig.launch(rig.ini([f"127.0.0.1:{port}" for port in servers], [f"127.0.0.1:{rig.ports.free()}"], pool=case.pool))
    for name in "b0", "b1", "b2":
        penstock.wait_log(rf"{name}\b.*\bup\b", 3)
    status[0] = 503
    for name in "b0", "b1", "b2":
        penstock.wait_log(rf"{name}\b.*\bdown: HTTP status 503", 3)
    require(len(re.findall(r" is (?:UP|DOWN)", penstock.log())) == 6, "a backend was judged in two ways")


def port_of_dead_backend(rig, case):
    """Dead backends are down even if the kernel may choose their ports for probes, on IPv4 and IPv6. Their servers can bind these ports at any time."""
    needs.own_network()
    needs.ipv6()
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40001")
    penstock = rig.launch(rig.ini(["127.0.0.1:40000", "[::1]:40001"], ["127.0.0.1:9"], case.glob, pool=case.pool))
    for name in "b0", "b1":
        penstock.wait_log(rf"{name}\b.*\bdown: connection refused")
    for address in ("127.0.0.1", 40000), ("::1", 40001):
        holds_for(lambda address=address: not listen(address).close(), f"{address} can be bound", 1.0)
    penstock.stop()
    for address in ("127.0.0.1", 40000), ("::1", 40001):
        listen(address).close()


CASES = (
    Case("http-check", http_check.__doc__, body=http_check, ways=ENGINES,
         pool={**CHECKED, "check": "http", "check_path": "/health", "balance": "round_robin"}),
    *(Case(f"http-answer-cut-off{name}", http_answer_cut_off.__doc__, body=http_answer_cut_off, ways=ONCE,
           pool={**CHECKED, **body, "check": "http", "check_initial": "down", "check_timeout": "20s"})
      for name, body in (("", {}), ("-with-text", {"check_body": "synced"}))),
    *(Case(f"port-of-dead-backend-{check}", port_of_dead_backend.__doc__, body=port_of_dead_backend, ways=ONCE,
           pool={**CHECKED, "check": check, "check_fast_interval": "10ms", "check_down_interval": "10ms"}) for check in ("tcp", "http")),
)
