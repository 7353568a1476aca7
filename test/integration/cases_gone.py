"""Clients and servers that disappear during a session. The session ends soon, whatever else is in flight, and the log names the side that is gone."""
import signal
import socket
import time
from collections import Counter

from case import EACH, ENGINES, Case, Stage
from peers import Peer, connect, listen, reset
from rig import require, wait_for


def address(rig, kind, name):
    """Returns an address for connect or listen, and the same address as text for a configuration."""
    if kind == "unix":
        path = rig.path(name + ".sock")
        return path, "unix:" + path
    port = rig.ports.free()
    return ("127.0.0.1", port), f"127.0.0.1:{port}"


def pair(rig, client_kind, backend_kind, pool=None):
    """Returns a penstock, and a client and a backend that are connected through it."""
    front, bind = address(rig, client_kind, "front")
    back, backend = address(rig, backend_kind, "back")
    listener = rig.keep(listen(back))
    penstock = rig.launch(rig.ini([backend], [bind], pool=pool))
    client = Peer(rig.keep(connect(front)), "c", "s", {}, 10)
    client.send(1)
    server = Peer(rig.keep(listener.accept()[0]), "s", "c", {}, 10)
    server.recv(1)
    return penstock, client, server


def gone_with_both_full(client_kind, backend_kind, gone, draining=False):
    def body(rig, case):
        penstock, client, server = pair(rig, client_kind, backend_kind)
        client.fill()
        server.fill()
        if draining:
            penstock.signal(signal.SIGTERM)
            penstock.wait_log("accepting stops")
        began = time.monotonic()
        (client if gone == "client" else server).reset()  # closing a UNIX socket with unread bytes resets it
        row = rig.access(1, seconds=4)[0]
        require(time.monotonic() - began < 4, "the session did not end soon")
        require(row["end"] == ("CD" if gone == "client" else "SD"), f"the log says end={row['end']} {row['reason']}")
        if draining:
            require(penstock.wait_exit(5) == 0, "status is not 0")
    return body


def unix_client_closes_unread(rig, case):
    """A UNIX client closes while the backend does not read. It looks like a client that only stopped reading, so half_close_timeout ends the session."""
    _, client, server = pair(rig, "unix", "tcp", pool={"half_close_timeout": "1s"})
    client.fill()
    client.close()
    server.send(1000)  # there is no client that could receive it
    row = rig.access(1, seconds=5)[0]
    require(row["end"] == "sD", f"the log says end={row['end']} {row['reason']}")


def silent_backend(rig):
    """Returns the address of a backend whose accept queue is full, so that connecting to it hangs."""
    backend = rig.keep(listen(("127.0.0.1", rig.ports.free()), backlog=0))
    for _ in range(2):
        filler = rig.keep(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(backend.getsockname())
    return "%s:%d" % backend.getsockname()


def left_while_connecting(rig, case):
    """If a client resets while its session connects to a backend, the session ends and no further backend is tried."""
    port = rig.ports.free()
    penstock = rig.launch(rig.ini([silent_backend(rig), silent_backend(rig)], [f"127.0.0.1:{port}"], pool={"connect_timeout": "20s"}))
    client = rig.keep(connect(("127.0.0.1", port)))
    client.sendall(b"x")
    wait_for(lambda: penstock.sockets() > penstock.sockets_at_start + 1, "it connects to the backend")
    reset(client)
    row = rig.access(1, seconds=3)[0]
    require(row["end"] == "CC" and row["tries"] == "1", f"the log says end={row['end']} tries={row['tries']} {row['reason']}")
    require(not penstock.logged("not served"), "the log complains about a client that left")


def left_while_queued(rig, case):
    """Clients that reset while they wait for a place cost no backend connection. A client that has only sent FIN is served."""
    stage = Stage(rig, case)
    holder = Peer(rig.keep(connect(stage.target)), "c", "s", {}, 10)
    holder.send(1)
    first = rig.keep(stage.scripted.accept()[0])
    require(first.recv(1), "the first client is not served")
    gone = [connect(stage.target) for _ in range(30)]
    for client in gone:
        client.sendall(b"g")
        reset(client)
    half = rig.keep(connect(stage.target))
    half.sendall(b"f")
    half.shutdown(socket.SHUT_WR)
    holder.close()
    first.close()
    server = rig.keep(stage.scripted.accept()[0])
    server.settimeout(5)
    require(server.recv(10) == b"f", "a client that was gone came first")
    server.sendall(b"answer")
    server.close()
    half.settimeout(5)
    require(half.recv(10) == b"answer", "no answer for the client that had finished sending")
    ends = sorted(row["end"] for row in rig.access(32))
    require(ends == ["--"] * 2 + ["CC"] * 30, f"the sessions ended {Counter(ends)}")


def when_both_are_full(gone, client_kind, backend_kind):
    return f"the {gone} resets while both directions are full ({client_kind} client, {backend_kind} backend)"


CASES = tuple(
    Case(f"{gone}-resets-both-full-{client_kind}-{backend_kind}", when_both_are_full(gone, client_kind, backend_kind),
         body=gone_with_both_full(client_kind, backend_kind, gone), ways=EACH)
    for gone in ("client", "backend") for client_kind, backend_kind in (("tcp", "tcp"), ("unix", "tcp"), ("tcp", "unix"), ("unix", "unix"))) + (
    Case("client-resets-both-full-draining", "the client resets while both directions are full and the process drains",
         body=gone_with_both_full("tcp", "tcp", "client", draining=True), ways=EACH),
    Case("backend-resets-both-full-draining", "the backend resets while both directions are full and the process drains",
         body=gone_with_both_full("tcp", "tcp", "backend", draining=True), ways=EACH),
    Case("client-resets-while-connecting", left_while_connecting.__doc__, body=left_while_connecting, ways=ENGINES),
    Case("clients-reset-while-queued", left_while_queued.__doc__, body=left_while_queued, listener={"max_connections": 1}, ways=ENGINES),
    Case("unix-client-closes-while-the-backend-does-not-read", unix_client_closes_unread.__doc__, body=unix_client_closes_unread, ways=EACH),
)
