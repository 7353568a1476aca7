"""Stops and drains while clients keep connecting. A client that was accepted is served, a later one is refused, and none is reset."""
import ctypes
import errno
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

import needs
from backends import Backend
from case import ENGINES, Case, Stage
from peers import Caller, connect
from rig import Skip, require, wait_for

IP_MINTTL = 21  # not defined in the socket module
LIMIT = {"max_connections": 5, "drain_timeout": "20s"}
ONE = {"max_connections": 1, "workers": 1, "drain_timeout": "20s"}
SMALL = {"max_connections": 2, "drain_timeout": "20s"}
UNPRIVILEGED = {"user": "nobody", "access_log": None}  # recent kernels then allow no socket filter


class Flood:
    """Clients that repeatedly connect, exchange bytes and close, until they are refused. `broken` counts connections that succeeded but were not served."""

    def __init__(self, target, count):
        self.target, self.served, self.broken, self.stopping = target, 0, 0, threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.stopping.is_set():
            try:
                sock = connect(self.target, seconds=8)
            except OSError:  # refused, because penstock has stopped
                return
            try:
                sock.sendall(b"x" * 50)
                good = len(sock.recv(50, socket.MSG_WAITALL)) == 50
            except OSError:
                good = False
            sock.close()
            with self.lock:
                self.served += good
                self.broken += not good

    def join(self, seconds):
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)


def stop_under_churn(kind):
    def body(rig, case):
        """Penstock is stopped several times while thousands of clients connect and close. Each client is either served or refused."""
        backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
        for number in range(10):
            port = rig.ports.free()
            target = rig.path(f"front{number}.sock") if kind == "unix" else ("127.0.0.1", port)
            bind = f"unix:{target}" if kind == "unix" else f"127.0.0.1:{port}"
            backlog = {"backlog": 8} if kind == "unix" and number % 2 else {}  # clients then also wait in connect(2)
            penstock = rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], [bind], listener=backlog))
            flood = Flood(target, 12)
            wait_for(lambda flood=flood: flood.served > 200, "clients are served")
            penstock.signal(signal.SIGTERM)
            require(penstock.wait_exit(5) == 0, "status is not 0")
            require(flood.join(5), "clients hang after the stop")
            require(flood.broken == 0, f"{flood.broken} clients got in and were not served, {flood.served} were")
    return body


def drain_at_limit(rig, case, host="127.0.0.1"):
    """Clients always wait at a connection limit. Those that wait when the drain begins are served, and the port is closed."""
    if "user" in case.glob:
        needs.root()
    stage = Stage(rig, case, host=host)
    holder = rig.keep(Caller(stage.target))
    holder.call(10)
    flood = Flood(stage.target, 16)
    wait_for(lambda: flood.served > 100, "clients are served")
    stage.penstock.signal(signal.SIGTERM)
    require(flood.join(4), f"the port is still open after 4 s; {flood.served} clients were served")
    require(flood.broken == 0, f"{flood.broken} clients got in and were not served, {flood.served} were")
    holder.call(10)
    holder.close()
    require(stage.penstock.wait_exit(3) == 0, "status is not 0")


def handshake_during_drain(rig, case):
    """A client whose handshake begins before the drain and ends during it is served, like the clients that wait before it."""
    if "user" in case.glob:
        needs.root()
    stage = Stage(rig, case)
    holder = rig.keep(Caller(stage.target))
    holder.call(10)
    waiting = rig.keep(Caller(stage.target))
    late = rig.keep(socket.socket())
    late.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)  # drops the answer to its SYN, which is sent again after a second
    late.setblocking(False)
    require(late.connect_ex(stage.target) == errno.EINPROGRESS, "the handshake does not stay half done")
    stage.penstock.signal(signal.SIGTERM)
    stage.penstock.wait_log("accepting stops")
    late.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 0)
    late.settimeout(8)
    late.connect_ex(stage.target)
    require(select.select([], [late], [], 8)[1] and late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, "the handshake does not end")
    holder.close()
    waiting.call(10)
    waiting.close()
    late.sendall(b"x" * 50)
    require(late.recv(50, socket.MSG_WAITALL) == b"x" * 50, "not served")
    late.close()
    require(stage.penstock.wait_exit(3) == 0, "status is not 0")


def drain_at_limit_ipv6(rig, case):
    """As drain-unprivileged, on IPv6."""
    needs.ipv6()
    drain_at_limit(rig, case, "::1")


def drain_with_full_ttl(rig, case):
    """Clients that send with the largest TTL pass the minimum TTL. They keep the port open no longer than it takes to accept a full queue."""
    needs.own_network()
    Path("/proc/sys/net/ipv4/ip_default_ttl").write_text("255")
    stage = Stage(rig, case)
    flood = Flood(stage.target, 16)
    wait_for(lambda: flood.served > 100, "clients are served")
    stage.penstock.signal(signal.SIGTERM)
    stopped = flood.join(4)
    flood.stopping.set()
    require(stopped, f"the port is still open after 4 s; {flood.served} clients were served")
    require(stage.penstock.wait_exit(3) == 0, "status is not 0")


def shut_from_outside(rig, pid, how, family=socket.AF_INET):
    """Shuts down each listening socket of this family in the process, by a duplicate of its descriptor, as `ss -K` or a debugger can. Returns their number."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    shut = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = libc.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
        if fd < 0:
            if ctypes.get_errno() in (1, 38):
                raise Skip("needs pidfd_getfd")
            continue
        try:
            with socket.socket(fileno=os.dup(fd)) as sock:
                if sock.family == family and sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    sock.shutdown(how)
                    shut += 1
        except OSError:
            pass
        os.close(fd)
    os.close(pidfd)
    return shut


def listener_shut_from_outside(rig, case):
    """If another process shuts the listening sockets down, penstock listens again and logs it."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    caller.call(10)
    for turn in range(3):
        require(shut_from_outside(rig, stage.penstock.pid, socket.SHUT_RD) == 2, "not one listening socket for each worker")
        wait_for(lambda turn=turn: stage.penstock.log().count("listens again") == 2 * (turn + 1), "both workers listen again")
        for key in range(8):
            late = Caller(stage.target, key=key)
            late.call(100)
            late.close()
    caller.call(10)


def unix_listener_shut_from_outside(rig, case):
    """A UNIX socket that was shut down cannot listen again. Each worker logs this once, and it costs no CPU time."""
    front = rig.path("front.sock")
    backend, port = rig.keep(Backend(("127.0.0.1", rig.ports.free()))), rig.ports.free()
    penstock = rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"unix:{front}", f"127.0.0.1:{port}"]))
    caller = rig.keep(Caller(front))
    caller.call(10)
    require(shut_from_outside(rig, penstock.pid, socket.SHUT_RD, socket.AF_UNIX) > 0, "no listening UNIX socket")
    wait_for(lambda: penstock.log().count("cannot listen again") == 2, "both workers say so")
    penstock.must_rest(0.1, "a shut socket keeps a worker busy")
    caller.call(10)
    late = rig.keep(Caller(("127.0.0.1", port)))
    late.call(100)


CASES = (
    Case("stop-under-churn", stop_under_churn("tcp").__doc__, body=stop_under_churn("tcp"), ways=ENGINES, seconds=60),
    Case("stop-under-churn-unix", stop_under_churn("unix").__doc__, body=stop_under_churn("unix"), ways=ENGINES, seconds=60),
    Case("drain-at-the-process-limit", drain_at_limit.__doc__, body=drain_at_limit, backends=("echo",), glob=LIMIT, ways=ENGINES),
    Case("drain-unprivileged", drain_at_limit.__doc__, body=drain_at_limit, backends=("echo",), glob=LIMIT | UNPRIVILEGED, ways=ENGINES),
    Case("drain-unprivileged-ipv6", drain_at_limit_ipv6.__doc__, body=drain_at_limit_ipv6, backends=("echo",), glob=LIMIT | UNPRIVILEGED, ways=ENGINES),
    Case("handshake-during-drain", handshake_during_drain.__doc__, body=handshake_during_drain, backends=("echo",), glob=ONE, ways=ENGINES),
    Case("handshake-during-drain-unprivileged", handshake_during_drain.__doc__, body=handshake_during_drain, backends=("echo",), glob=ONE | UNPRIVILEGED,
         ways=ENGINES),
    Case("drain-with-full-ttl", drain_with_full_ttl.__doc__, body=drain_with_full_ttl, backends=("echo",), glob=SMALL | UNPRIVILEGED,
         listener={"backlog": 16}, ways=ENGINES),
    Case("drain-at-the-listener-limit", drain_at_limit.__doc__, body=drain_at_limit, backends=("echo",), glob={"drain_timeout": "20s"},
         listener={"max_connections": 5}, ways=ENGINES),
    Case("listener-shut-from-outside", listener_shut_from_outside.__doc__, body=listener_shut_from_outside, backends=("echo",), ways=ENGINES),
    Case("unix-listener-shut-from-outside", unix_listener_shut_from_outside.__doc__, body=unix_listener_shut_from_outside, ways=ENGINES),
)
