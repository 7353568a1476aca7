"""Health checks: HTTP answers, and the ports that probes use. cases_balance.py tests that sessions avoid backends that are down."""
import contextlib
import re
import select
import socket
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


class UdpServers:
    """The UDP servers at which the backends of a case are probed. answers[i] is what server i sends for each datagram; None: nothing.
    Server i is closed until start(i)."""

    def __init__(self, rig, answers):
        self.rig, self.answers, self.heard = rig, list(answers), [[] for _ in answers]
        self.ports = [rig.ports.free() for _ in answers]

    def start(self, number):
        sock = self.rig.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.ports[number]))

        def serve():
            with contextlib.suppress(OSError):  # closed at the end of the case
                while True:
                    data, peer = sock.recvfrom(65536)
                    self.heard[number].append(data)
                    if self.answers[number] is not None:
                        sock.sendto(self.answers[number], peer)
        threading.Thread(target=serve, daemon=True).start()

    def stage(self, case):
        return Stage(self.rig, Case(**{**vars(case), "backends": tuple(("greet", f"check_port={port}") for port in self.ports)}))


def expect_states(penstock, states):
    """Waits for a log line of each backend: how its probe failed, or "up". Backends whose state is None must have none."""
    for number, state in enumerate(states):
        if state == "up":
            penstock.wait_log(rf"backend b{number} .* is up ")
        elif state:
            penstock.wait_log(rf"backend b{number} .* is down: {re.escape(state)} \(")
    for number, state in enumerate(states):
        require(state or f"backend b{number} " not in penstock.log(), f"the state of b{number} has changed")


def udp_check_reply(rig, case):
    """check = udp with check_expect: a backend is up while the right reply comes, and the log tells the ways to fail apart."""
    right, wrong, shown = b"PONG 1", b"NO\r\n", r"NO\r\n"
    if case.pool["check_expect"].startswith("hex:"):
        right, wrong, shown = bytes.fromhex("0102ab04ff"), bytes.fromhex("0102ab05"), "hex:0102ab05"
    servers = UdpServers(rig, [right, wrong, None, right])
    for number in 0, 1, 2:
        servers.start(number)
    stage = servers.stage(case)
    expect_states(stage.penstock, [None, f"reply does not match check_expect: got {shown}", "no reply within 500ms",
                                   "connection refused (ICMP port unreachable)"])
    settle(stage.target, ["b0"])
    require(set(servers.heard[0]) == {b"\x01PING\r\n"}, f"the server received {set(servers.heard[0])}")
    servers.answers[1] = servers.answers[2] = right
    servers.start(3)
    expect_states(stage.penstock, [None, "up", "up", "up"])
    settle(stage.target, ["b0", "b1", "b2", "b3"])


def udp_check_any_reply(rig, case):
    """check = udp with check_send alone: any reply will do, but one must come."""
    servers = UdpServers(rig, [b"", b"error", None])
    for number in 0, 1, 2:
        servers.start(number)
    stage = servers.stage(case)
    expect_states(stage.penstock, [None, None, "no reply within 500ms"])
    settle(stage.target, ["b0", "b1"])
    servers.answers[2] = b"\0"
    expect_states(stage.penstock, [None, None, "up"])


def udp_check_no_reply(rig, case):
    """check = udp without more: a server that never answers is up, a closed port is down until somebody listens. No probe takes 20 s."""
    servers = UdpServers(rig, [None, None])
    servers.start(0)
    stage = servers.stage(case)
    expect_states(stage.penstock, [None, "connection refused (ICMP port unreachable)"])
    settle(stage.target, ["b0"])
    servers.start(1)
    expect_states(stage.penstock, [None, "up"])
    settle(stage.target, ["b0", "b1"])
    require(set(servers.heard[0] + servers.heard[1]) == {b"\0"}, "something other than a zero byte was sent")


UDP = {**CHECKED, "check": "udp", "balance": "round_robin"}
CASES = (
    Case("http-check", http_check.__doc__, body=http_check, ways=ENGINES,
         pool={**CHECKED, "check": "http", "check_path": "/health", "balance": "round_robin"}),
    *(Case(f"http-answer-cut-off{name}", http_answer_cut_off.__doc__, body=http_answer_cut_off, ways=ONCE,
           pool={**CHECKED, **body, "check": "http", "check_initial": "down", "check_timeout": "20s"})
      for name, body in (("", {}), ("-with-text", {"check_body": "synced"}))),
    *(Case(f"udp-check-{name}", udp_check_reply.__doc__, body=udp_check_reply, ways=ENGINES if name == "text" else ONCE,
           pool={**UDP, "check_send": r"\x01PING\r\n", "check_expect": expect}) for name, expect in (("text", "PONG"), ("hex", "hex:0102 ?? 04"))),
    Case("udp-check-any-reply", udp_check_any_reply.__doc__, body=udp_check_any_reply, ways=ONCE, pool={**UDP, "check_send": "hex:00ff"}),
    Case("udp-check-no-reply", udp_check_no_reply.__doc__, body=udp_check_no_reply, ways=ONCE, pool={**UDP, "check_timeout": "20s"}),
    *(Case(f"port-of-dead-backend-{check}", port_of_dead_backend.__doc__, body=port_of_dead_backend, ways=ONCE,
           pool={**CHECKED, "check": check, "check_fast_interval": "10ms", "check_down_interval": "10ms"}) for check in ("tcp", "http", "https")),
)
