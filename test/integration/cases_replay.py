"""Backends that die before they answer: another one gets what the client has sent, and the client notices nothing. Also retries of connecting."""
import json
import selectors
import signal
import socket
import time

from bench import Load, Server
from case import EACH, ENGINES, Case
from peers import Peer, connect, listen, reset
from rig import require, wait_for

REPLAY = {"balance": "round_robin", "replay": "64k"}


class Servers:
    """Two servers in front of which a penstock is. Each connection that they accept is a new peer, which expects the client's stream from its beginning."""

    def __init__(self, rig, pool, glob=None, backlog=1024):
        self.rig, self.listeners = rig, [rig.keep(listen(("127.0.0.1", rig.ports.free()), backlog)) for _ in range(2)]
        self.target = ("127.0.0.1", rig.ports.free())
        self.selector = selectors.DefaultSelector()
        for listener in self.listeners:
            self.selector.register(listener, selectors.EVENT_READ)
        addresses = ["%s:%d" % listener.getsockname() for listener in self.listeners]
        self.penstock = rig.launch(rig.ini(addresses, ["%s:%d" % self.target], glob=glob, pool=pool))
        self.met = []

    def client(self):
        return Peer(self.rig.keep(connect(self.target)), "c", "s", {}, 10)

    def accept(self, seconds=10):
        """Returns the server's end of the next connection."""
        ready = self.selector.select(seconds)
        require(ready, "no backend was connected")
        self.met.append(ready[0][0].fileobj)
        return Peer(self.rig.keep(self.met[-1].accept()[0]), "s", "c", {}, 10)

    def accept_other(self):
        """The same, and requires that it is not the server of the last connection."""
        last, server = self.met[-1], self.accept()
        require(self.met[-1] is not last, "the same backend was tried again")
        return server

    def nobody(self):
        """Requires that no further backend was connected."""
        require(not self.selector.select(0.3), "a further backend was connected")

    def expect(self, **wanted):
        row = self.rig.access(1)[0]
        for key, value in wanted.items():
            require(row[key] == str(value), f"the log says {key}={row[key]}, due was {value}: {row}")


def die(server, how):
    reset(server.sock) if how == "reset" else server.sock.close()


def replayed(how, half_closed=False, bulk=0):
    """One backend takes the request and ends without an answer. The other one gets it all, and the client gets one whole answer."""
    def body(rig, case):
        servers = Servers(rig, dict(REPLAY, replay="1m") if bulk else REPLAY)
        client = servers.client()
        client.send(30000)
        if half_closed:
            client.fin()
        first = servers.accept()
        first.recv(30000)
        if half_closed:
            first.expect_fin()
        die(first, how)
        second = servers.accept_other()
        second.recv(30000)
        if half_closed:
            second.expect_fin()
        second.send(500)
        client.recv(500)
        for _ in range(bulk):  # nothing is kept any more, so both directions may be spliced
            client.send(100000)
            second.recv(100000)
            second.send(100000)
            client.recv(100000)
        second.close()
        client.expect_fin()
        client.close()
        servers.expect(tries=2, replayed=1, end="--", bytes_in=30000 + 100000 * bulk, bytes_out=500 + 100000 * bulk)
    return body


def in_the_middle(rig, case):
    """The backend dies while the client still sends. The other one gets everything, in order."""
    servers = Servers(rig, REPLAY)
    client = servers.client()
    client.send(20000)
    first = servers.accept()
    first.recv(10000)
    die(first, "reset")
    second = servers.accept_other()
    client.send(20000)
    second.recv(40000)
    second.send(5)
    client.recv(5)
    client.close()
    second.expect_fin()
    second.close()
    servers.expect(tries=2, replayed=1, end="--", bytes_in=40000, bytes_out=5)


def too_large(rig, case):
    """The client has sent more than `replay`: nothing is kept."""
    servers = Servers(rig, dict(REPLAY, replay="16k"))
    client = servers.client()
    client.send(20000)
    first = servers.accept()
    first.recv(20000)
    die(first, "reset")
    client.expect_reset()
    servers.nobody()
    servers.expect(tries=1, replayed=0, end="SD")


def answered(requests):
    """The backend has sent a byte to the client. After that, its end is the client's end, also during a later request."""
    def body(rig, case):
        servers = Servers(rig, REPLAY)
        client = servers.client()
        client.send(100)
        first = servers.accept()
        first.recv(100)
        first.send(1)
        client.recv(1)
        for _ in range(requests - 1):
            client.send(100)
            first.recv(100)
        die(first, "reset")
        client.expect_reset()
        servers.nobody()
        servers.expect(tries=1, replayed=0, end="SD")
    return body


def early_answer(rig, case):
    """A backend that answers without reading the whole request, and closes, has answered."""
    servers = Servers(rig, dict(REPLAY, replay="1m"))
    client = servers.client()
    client.send(200000)
    first = servers.accept()
    first.recv(10)
    first.send(300)
    first.close()  # unread bytes: this resets the connection
    client.recv(300)
    client.expect_broken()
    servers.nobody()
    servers.expect(tries=1, replayed=0)


def all_die(rig, case):
    """No backend answers: the client is reset, and the log says why."""
    servers = Servers(rig, dict(REPLAY, retries=5))
    client = servers.client()
    client.send(100)
    for _ in range(2):
        server = servers.accept()
        server.recv(100)
        die(server, "close")
    client.expect_reset()
    servers.nobody()
    servers.expect(tries=2, replayed=1, end="SH", bytes_out=0)


def empty_answer(rig, case):
    """The client has ended and its backend ends too, without a byte: that may be all that the client expects."""
    servers = Servers(rig, REPLAY)
    client = servers.client()
    client.send(100)
    client.fin()
    first = servers.accept()
    first.recv(100)
    first.expect_fin()
    first.close()
    client.expect_fin()
    servers.nobody()
    servers.expect(tries=1, replayed=0, end="--")


def unsent(rig, case):
    """A backend resets before the client has sent anything. Nothing can be lost, so another one is connected also without `replay`."""
    servers = Servers(rig, {"balance": "round_robin"})
    client = servers.client()
    die(servers.accept(), "reset")
    second = servers.accept_other()
    client.send(100)
    second.recv(100)
    second.send(100)
    client.recv(100)
    client.close()
    second.expect_fin()
    second.close()
    servers.expect(tries=2, replayed=0, end="--")


def client_leaves(rig, case):
    """The client resets while a backend is being connected again."""
    servers = Servers(rig, dict(REPLAY, retry_backend="same"))
    client = servers.client()
    client.send(100)
    first = servers.accept()
    first.recv(100)
    met = servers.met[0]
    servers.selector.unregister(met)
    met.close()  # so that no further attempt succeeds
    die(first, "reset")
    wait_for(lambda: servers.penstock.sockets() == servers.penstock.sockets_at_start + 1, "it has closed the socket to the backend")
    reset(client.sock)
    servers.expect(end="CC", replayed=0, bytes_out=0)


def same_backend(rig, case):
    """With retry_backend = same, a backend that listens a little later gets the client."""
    address = ("127.0.0.1", rig.ports.free())
    target = ("127.0.0.1", rig.ports.free())
    penstock = rig.launch(rig.ini(["%s:%d" % address], ["%s:%d" % target], {"log_level": "debug"}, pool={"retry_backend": "same", "retries": 15}))
    client = Peer(rig.keep(connect(target)), "c", "s", {}, 10)
    client.send(100)
    penstock.wait_log("backend b0 .* failed: ECONNREFUSED")
    server = Peer(rig.keep(rig.keep(listen(address)).accept()[0]), "s", "c", {}, 10)
    server.recv(100)
    server.close()
    client.expect_fin()
    client.close()
    row = rig.access(1)[0]
    require(row["end"] == "--" and int(row["tries"]) > 1, f"the log says {row}")


def no_time(rig, case):
    """No attempt begins after retry_timeout."""
    address = ("127.0.0.1", rig.ports.free())
    target = ("127.0.0.1", rig.ports.free())
    rig.launch(rig.ini(["%s:%d" % address], ["%s:%d" % target], pool={"retry_backend": "same", "retries": 15, "retry_timeout": "350ms"}))
    client = Peer(rig.keep(connect(target)), "c", "s", {}, 10)
    client.expect_reset()
    row = rig.access(1)[0]
    require(row["end"] == "SC" and row["tries"] == "4" and 350 <= float(row["duration_ms"]) < 800, f"the log says {row}")


def killed_under_load(rig, case):
    """Servers are killed and started again while clients send requests, which take them 20 ms. No request fails."""
    servers = [rig.keep(Server(rig, "rpc", rig.ports.free(), "--name", f"b{number}", "--service", "fixed:20ms")) for number in range(2)]
    port = rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{server.port}" for server in servers], [f"127.0.0.1:{port}"],
                       pool=dict(REPLAY, check="tcp", check_interval="100ms", rise=1)))
    load = rig.keep(Load(rig, port, "connect", "--connections", "16", "--duration", "4s", "--timeout", "5s"))

    def served(name):
        return sum(row["backend"] == name for row in rig.access())

    def wait_served(name):
        before = served(name)
        wait_for(lambda: served(name) > before + 10, f"{name} serves clients")

    for number in (0, 1, 0, 1):
        wait_served(f"b{number}")
        servers[number].kill()
        wait_served(f"b{1 - number}")
        servers[number].start()
        wait_served(f"b{number}")  # a probe has passed
    load.finish(10)
    again = sum(row["replayed"] != "0" for row in rig.access())
    require(again > 0, "no server was killed while it had a request")


def stopped_under_load(rig, case):
    """A server is stopped by SIGSTOP under load. No request fails, and none takes longer than first_byte_timeout and a half."""
    servers = [rig.keep(Server(rig, "rpc", rig.ports.free(), "--name", f"b{number}", "--service", "fixed:20ms")) for number in range(2)]
    port = rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{server.port}" for server in servers], [f"127.0.0.1:{port}"],
                       pool=dict(REPLAY, first_byte_timeout="600ms")))
    load = rig.keep(Load(rig, port, "connect", "--connections", "16", "--duration", "4s", "--timeout", "5s", "--json"))
    for name in ("b0", "b1"):
        wait_for(lambda: any(row["backend"] == name for row in rig.access()), f"{name} serves clients")
    servers[0].process.send_signal(signal.SIGSTOP)
    result = json.loads(load.finish(10))
    servers[0].process.send_signal(signal.SIGCONT)
    again = sum(row["replayed"] != "0" for row in rig.access())
    require(again > 0, "no request was with the server when it was stopped")
    require(result["latency_ns"]["max"] < 900e6, f"a request took {result['latency_ns']['max'] / 1e6:.0f} ms")


def full_queue(rig, case):
    """The accept queue of a stopped server is full, so connecting to it hangs. first_byte_timeout bounds this too, and the other server answers."""
    servers = Servers(rig, dict(REPLAY, connect_timeout="20s", first_byte_timeout="300ms"), backlog=0)
    for _ in range(2):  # fills the queue of the first one
        filler = rig.keep(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(servers.listeners[0].getsockname())
    servers.selector.unregister(servers.listeners[0])
    clients = [servers.client() for _ in range(2)]  # one for each server
    for client in clients:
        client.send(100)
    for _ in clients:
        server = servers.accept()
        server.recv(100)
        server.send(100)
        server.close()
    for client in clients:
        client.recv(100)
        client.close()
    rows = rig.access(2)
    require(sorted(row["tries"] for row in rows) == ["1", "2"], f"the log says {rows}")
    require(all(float(row["connect_ms"]) < 450 for row in rows), f"the log says {rows}")


CASES = (
    Case("replay-after-reset", "a backend that resets after the request costs nothing", body=replayed("reset"), ways=EACH),
    Case("replay-after-fin", "a backend that closes after the request costs nothing", body=replayed("close"), ways=EACH),
    Case("replay-half-closed", "the client's FIN is passed on again", body=replayed("reset", half_closed=True), ways=EACH),
    Case("replay-then-bulk", "after a replay, bulk data flows both ways", body=replayed("reset", bulk=20), ways=EACH),
    Case("replay-in-the-middle", in_the_middle.__doc__, body=in_the_middle, ways=EACH),
    Case("replay-too-large", too_large.__doc__, body=too_large, ways=ENGINES),
    Case("replay-answer-begun", "no replay after a byte was sent to the client", body=answered(1), ways=EACH),
    Case("replay-second-request", "no replay of a second request", body=answered(2), ways=EACH),
    Case("replay-early-answer", early_answer.__doc__, body=early_answer, ways=EACH),
    Case("replay-all-die", all_die.__doc__, body=all_die, ways=ENGINES),
    Case("replay-empty-answer", empty_answer.__doc__, body=empty_answer, ways=EACH),
    Case("retry-unsent", unsent.__doc__, body=unsent, ways=ENGINES),
    Case("replay-client-leaves", client_leaves.__doc__, body=client_leaves, ways=ENGINES),
    Case("retry-same", same_backend.__doc__, body=same_backend, ways=ENGINES),
    Case("replay-kill-under-load", killed_under_load.__doc__, body=killed_under_load, ways=ENGINES),
    Case("replay-stop-under-load", stopped_under_load.__doc__, body=stopped_under_load, ways=ENGINES),
    Case("replay-full-queue", full_queue.__doc__, body=full_queue, ways=ENGINES),
    Case("retry-time", no_time.__doc__, body=no_time, ways=ENGINES),
)
