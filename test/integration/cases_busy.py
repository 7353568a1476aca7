"""Probes of backends that are busy: a server that does not answer its probes while its sessions move bytes is busy, and not dead."""
import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time

from case import ENGINES, Case, Stage
from peers import connect, listen
from rig import holds_for, require, wait_for


class ModelServer:
    """Sends the byte `says` every 50 ms to each client, after its first bytes. Answers probes with status 200, except while it is
    busy; then it accepts and is silent."""

    def __init__(self, address, says=b"."):
        self.busy, self.says = False, says
        self.streams = 0  # number of clients so far
        self.listener = listen(address, seconds=None)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()

    def _serve(self, sock):
        with sock, contextlib.suppress(OSError):
            if not sock.recv(65536).startswith(b"GET"):
                self.streams += 1
                while True:
                    sock.sendall(self.says)
                    time.sleep(0.05)
            if not self.busy:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            sock.recv(65536)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # ends accept()
        self.listener.close()


class ServerProcess:
    """A ModelServer in a process of its own, which can be stopped."""

    def __init__(self, address):
        self.process = multiprocessing.get_context("fork").Process(target=self._run, args=(address,), daemon=True)
        self.process.start()

    @staticmethod
    def _run(address):
        server = ModelServer(address)
        while server:
            signal.pause()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def close(self):
        self.process.kill()
        self.process.join()


def stream_from(rig, target):
    """Opens a session through which bytes move: more than the buffers hold never comes, so nobody has to read them."""
    client = rig.keep(connect(target))
    client.sendall(b"generate\n")
    require(client.recv(1) == b".", "the server does not stream")
    return client


class BusyStage(Stage):
    """A penstock before `server(address)`, which is the backend b0, and a session to it that moves bytes."""

    def __init__(self, rig, case, server):
        super().__init__(rig, case, start=False)
        address = ("127.0.0.1", rig.ports.free())
        self.server = rig.keep(server(address))
        self.penstock = rig.launch(rig.ini([f"127.0.0.1:{address[1]}"], [f"127.0.0.1:{self.target[1]}"], case.glob, pool=case.pool))
        wait_for(lambda: socket.create_connection(address).close() is None, "the server listens")

    def changes(self):
        """The words with which the log has changed the state of b0, in their order."""
        return [line.split(" is ")[1].split(":")[0].split(" after")[0] for line in self.penstock.log().splitlines() if "backend b0 (" in line]


def busy_server_stays(rig, case):
    """A server that answers no probe while its sessions stream is busy and stays in use, for as long as that lasts. Each change is logged once."""
    stage = BusyStage(rig, case, ModelServer)
    stream_from(rig, stage.target)
    for _ in range(2):
        stage.server.busy = True
        stage.penstock.wait_log(r"b0 .* is busy: timed out after 200 ms, but its sessions move bytes; weight halved\n(.*\n)*\Z")
        holds_for(lambda: "DOWN" not in stage.penstock.log(), "the busy server is not taken out", 2.0)  # time for ten probes
        stream_from(rig, stage.target)
        stage.server.busy = False
        wait_for(lambda: stage.changes()[-1] == "UP again", "the server is up again")
    require(stage.changes() == ["BUSY", "UP again"] * 2, f"the log has {stage.changes()}")


def stopped_server_goes_down(rig, case):
    """A server that was stopped (SIGSTOP) goes down by timeouts, although it had sessions, and comes back when it continues."""
    stage = BusyStage(rig, case, ServerProcess)
    stream_from(rig, stage.target)
    stage.server.signal(signal.SIGSTOP)
    stage.penstock.wait_log(r"b0 .* is down: timed out after 200 ms \(3 of 3 probes timed out, and its sessions moved no bytes\); 0 of 1 usable")
    stage.server.signal(signal.SIGCONT)
    stage.penstock.wait_log(r"b0 .* is up after 2 good probes; 1 of 1 usable")
    require(stage.changes() == ["BUSY", "DOWN", "UP"], f"the log has {stage.changes()}")


def busy_is_down(rig, case):
    """With busy_is_down, a server that answers no probe goes down although its sessions stream."""
    stage = BusyStage(rig, case, ModelServer)
    stream_from(rig, stage.target)
    stage.server.busy = True
    stage.penstock.wait_log(r"b0 .* is down: timed out after 200 ms \(3 of 3 probes failed\); 0 of 1 usable")
    require(stage.changes() == ["DOWN"], f"the log has {stage.changes()}")


def refusal_is_no_sign_of_load(rig, case):
    """A server that refuses its probes goes down although its sessions stream."""
    stage = BusyStage(rig, case, ModelServer)
    stream_from(rig, stage.target)
    stage.server.close()
    stage.penstock.wait_log(r"b0 .* is down: connection refused \(3 of 3 probes failed\); 0 of 1 usable")
    require(stage.changes() == ["DOWN"], f"the log has {stage.changes()}")


def busy_udp_server_stays(rig, case):
    """A UDP server that answers its clients but not its probes is busy. When it answers nobody any more, it goes down."""
    server = rig.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.0.1", rig.ports.free()))
    silent = threading.Event()

    def serve():
        with contextlib.suppress(OSError):  # closed at the end of the case
            while True:
                data, peer = server.recvfrom(65536)
                if data != b"probe" and not silent.is_set():
                    server.sendto(data, peer)
    threading.Thread(target=serve, daemon=True).start()
    target = ("127.0.0.1", rig.ports.free())
    client = rig.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def ask():
        client.sendto(b"question", target)
        return "DOWN" not in penstock.log()
    penstock = rig.launch(rig.ini([f"127.0.0.1:{server.getsockname()[1]}"], [f"127.0.0.1:{target[1]}"], case.glob, case.listener, case.pool))
    wait_for(lambda: ask() and penstock.logged(r"b0 .* is busy: no reply within 200ms, but its sessions move bytes; weight halved"), "the server is busy")
    holds_for(ask, "the busy server is not taken out", 2.0)
    silent.set()
    penstock.wait_log(r"b0 .* is down: no reply within 200ms \(3 of 3 probes timed out, and its sessions moved no bytes\)")


POOL = {"check_interval": "200ms", "check_fast_interval": "100ms", "check_timeout": "200ms", "rise": 2, "fall": 3, "check_jitter": "0%"}
HTTP = {**POOL, "check": "http"}
CASES = (
    Case("busy-server-stays", busy_server_stays.__doc__, body=busy_server_stays, ways=ENGINES, backends=(), pool=HTTP),
    Case("busy-stopped-server", stopped_server_goes_down.__doc__, body=stopped_server_goes_down, ways=ENGINES, backends=(), pool=HTTP),
    Case("busy-is-down", busy_is_down.__doc__, body=busy_is_down, ways=ENGINES, backends=(), pool={**HTTP, "busy_is_down": "yes"}),
    Case("busy-refusal", refusal_is_no_sign_of_load.__doc__, body=refusal_is_no_sign_of_load, ways=ENGINES, backends=(), pool=HTTP),
    Case("busy-udp-server", busy_udp_server_stays.__doc__, body=busy_udp_server_stays, ways=ENGINES, backends=(), listener={"protocol": "udp"},
         pool={**POOL, "check": "udp", "check_send": "probe", "udp_idle_timeout": "1s"}),
)
