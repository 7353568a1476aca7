"""The admin thread: what it answers, what it refuses, and that bad clients of it cost no memory and that sessions do not notice them."""
import http.client
import os
import signal
import socket
import stat
import threading

import sandbox
from case import ENGINES, ONCE, Case, Stage
from cases_lifecycle import fails
from peers import Caller
from rig import Skip, require, wait_for

MB = 1 << 20
PLACES = 64  # ADMIN_CONNECTIONS_MAX


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=10):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Admin:
    """A penstock with both sockets, and requests to them."""

    def __init__(self, rig, case, **keys):
        self.path, self.port = rig.path("admin.sock"), rig.ports.free()
        glob = {"admin": f"unix:{self.path}", "http": f"127.0.0.1:{self.port}", "lame_duck": "off", **keys}
        self.stage = Stage(rig, Case(**{**vars(case), "glob": {**case.glob, **glob}}))
        self.penstock, self.target = self.stage.penstock, self.stage.target

    def open(self, unix):
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        sock.settimeout(10)
        sock.connect(self.path if unix else ("127.0.0.1", self.port))
        return sock

    def ask(self, target, method="GET", unix=True, body=None):
        """Returns the status and the body of an answer."""
        connection = UnixConnection(self.path) if unix else http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def must_work(self):
        for unix in (True, False):
            require(self.ask("/healthz", unix=unix) == (200, "ok\n"), "no answer to /healthz")


class Traffic:
    """A client whose requests must all succeed until stop()."""

    def __init__(self, target):
        self.caller, self.calls, self.failure, self.stopping = Caller(target), 0, None, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.is_set():
                self.caller.call(1000)
                self.calls += 1
        except Exception as error:  # stop() reports it
            self.failure = error

    def stop(self):
        self.stopping.set()
        self.thread.join(15)
        self.caller.close()
        require(not self.failure and self.calls > 0, f"a session has noticed it: {self.failure}, {self.calls} requests")


def read_all(sock):
    """Returns what comes until the end of the connection."""
    data = b""
    try:
        while len(data) < MB:
            part = sock.recv(65536)
            if not part:
                break
            data += part
    except (ConnectionResetError, BrokenPipeError):
        pass
    return data


MALFORMED = (
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"garbage\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50, b"\0" * 5000, b"GET / HTTP/9.9\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n", b"GET / HTTP/1.1\r\n" + b"X" * 100000, b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/sessions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
)


def malformed(rig, case):
    """Requests that are not HTTP get an error or the end of the connection, and cost nothing."""
    admin = Admin(rig, case)
    traffic = Traffic(admin.target)
    pairs = [(data, rig.keep(admin.open(unix))) for data in MALFORMED for unix in (True, False)]
    for data, sock in pairs:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # the connection was ended while we send
            pass
    for data, sock in pairs:
        sock.settimeout(20)  # the library may notice an end that comes together with data only when the connection times out
        answer = read_all(sock)
        require(answer == b"" or b" 200 " not in answer.split(b"\r\n")[0], f"{data[:60]} was answered by {answer[:60]}")
    admin.must_work()
    traffic.stop()
    require(admin.ask("/none")[0] == 404 and admin.ask("/healthz", "POST")[0] == 405 and admin.ask("/%00")[0] == 400, "not the right status")
    require(admin.ask("/v1/sessions", "DELETE", unix=False)[0] == 403, "http allows changes")
    require(admin.ask("/" + "a" * 5000)[0] == 414 and admin.ask("/", "BREW")[0] == 501, "not the right status")


def giant_body(rig, case):
    """A body of a gigabyte is refused by its length, or, if that is not announced, cut off. Neither is kept in memory."""
    admin = Admin(rig, case)
    traffic = Traffic(admin.target)
    before = admin.penstock.rss_kb()
    with admin.open(True) as sock:
        sock.sendall(b"DELETE /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
        require(b" 413 " in read_all(sock), "the announced length was not refused")
    with admin.open(True) as sock:
        sock.sendall(b"DELETE /v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 1024:
                sock.sendall(b"100000\r\n" + b"x" * MB + b"\r\n")
                sent += 1
        except OSError:
            pass
        require(sent < 64, f"{sent} MiB were accepted")
    admin.must_work()
    traffic.stop()
    grown = admin.penstock.rss_kb() - before
    require(rig.sanitized or grown < 16384, f"{grown} KiB more memory")


def idle_crowd(rig, case):
    """A thousand idle connections and half requests on each socket: a new client is answered at once, and sessions do not notice."""
    admin = Admin(rig, case)
    traffic = Traffic(admin.target)
    sockets = []
    for number in range(1000):
        for unix in (True, False):
            sock = rig.keep(admin.open(unix))
            sockets.append(sock)
            if number % 2:
                try:
                    sock.sendall(b"GET /healthz HTTP/1.1\r\nX-Half: ")
                except OSError:  # it was closed for a newer one
                    pass
    admin.must_work()
    traffic.stop()
    require(admin.penstock.sockets() - admin.penstock.sockets_at_start <= 2 * PLACES, f"{admin.penstock.sockets()} sockets")
    admin.penstock.wait_log("too many connections")
    for sock in sockets:
        sock.close()


def slow_readers(rig, case):
    """Clients that send requests and never read keep only their places, until these are needed or ten seconds have passed."""
    admin = Admin(rig, case)
    traffic = Traffic(admin.target)
    before = admin.penstock.rss_kb()
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    for number in range(PLACES - 10):
        sock = rig.keep(admin.open(bool(number % 2)))
        sock.setblocking(False)
        sent = 0
        try:
            while sent < 200:
                sock.sendall(request)
                sent += 1
        except OSError:
            pass
    admin.must_work()
    grown = admin.penstock.rss_kb() - before
    require(rig.sanitized or grown < 32768, f"{grown} KiB more memory")
    # The requests that fit the sockets are answered first, thousands in all, which takes a sanitizer some time.
    wait_for(lambda: admin.penstock.sockets() <= admin.penstock.sockets_at_start + 2, "their connections have timed out", 90 if rig.sanitized else 25)
    traffic.stop()


def socket_file(rig, case):
    """The admin socket has the configured mode and group, and its file is removed at the end, but not the file of another process."""
    keys = {"admin_mode": "0640"}
    if os.getuid() == 0:
        keys["admin_group"] = "nogroup"
    admin = Admin(rig, case, **keys)
    status = os.stat(admin.path)
    require(stat.S_IMODE(status.st_mode) == 0o640, f"mode {status.st_mode:o}")
    require(os.getuid() != 0 or status.st_gid == sandbox.NOBODY, f"group {status.st_gid}")
    fails(rig, ["run", "-c", rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"admin": f"unix:{admin.path}"})],
          r"admin = unix:\S*admin\.sock.*in use", lines=None)
    admin.must_work()
    fails(rig, ["run", "-c", rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"http": f"127.0.0.1:{admin.port}"})],
          rf"http = 127\.0\.0\.1:{admin.port}: .*in use", lines=None)
    admin.must_work()
    admin.penstock.stop()
    require(not os.path.exists(admin.path), "its file is still there")


def stale_file(rig, case):
    """The file that a killed process has left is replaced. A file that replaced ours is left alone at the end."""
    admin = Admin(rig, case)
    admin.penstock.signal(signal.SIGKILL)
    admin.penstock.wait_exit()
    require(os.path.exists(admin.path), "the kill has removed the file")
    penstock = rig.main = rig.launch(admin.stage.ini)
    admin.must_work()
    os.unlink(admin.path)
    other = rig.keep(socket.socket(socket.AF_UNIX))
    other.bind(admin.path)
    penstock.stop()
    require(os.path.exists(admin.path), "the other's file was removed")


def default_socket(rig, case):
    """An ordinary user who cannot create the default socket gets a warning and a working penstock. A configured socket that cannot be created is an error."""
    if os.getuid() != 0:
        raise Skip("needs root, to start as another user")
    stage = Stage(rig, Case(**{**vars(case), "glob": {"admin": None, "access_log": None}}), user=sandbox.NOBODY)
    stage.penstock.wait_log(r"warn .*admin = unix:/run/penstock/admin\.sock: cannot be opened")
    caller = rig.keep(Caller(stage.target))
    caller.call()
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"admin": "unix:/proc/admin.sock", "access_log": None})
    fails(rig, ["run", "-c", ini], r"admin = unix:/proc/admin\.sock: cannot be opened", lines=None)


def everything_off(rig, case):
    """Without admin and http there is no admin thread."""
    stage = Stage(rig, case)
    names = [open(f"/proc/{stage.penstock.pid}/task/{task}/comm").read().strip() for task in os.listdir(f"/proc/{stage.penstock.pid}/task")]
    require("penstock-admin" not in names and "penstock-log" in names, f"threads {names}")


def lame_duck(rig, case):
    """After TERM, /readyz is false while clients are still accepted. In the drain the admin socket still answers, to the end."""
    admin = Admin(rig, case, lame_duck="3s", drain_timeout="20s")
    require(admin.ask("/readyz", unix=False) == (200, "ready\n"), "not ready")
    held = rig.keep(Caller(admin.target))
    held.call()
    admin.penstock.signal(signal.SIGTERM)
    wait_for(lambda: admin.ask("/readyz", unix=False) == (503, "about to stop\n"), "/readyz says that it is about to stop")
    late = Caller(admin.target)
    late.call()
    late.close()
    wait_for(lambda: admin.ask("/readyz")[1] == "draining\n", "/readyz says that it drains")
    require('"state":"draining"' in admin.ask("/v1/status")[1], "the drain does not show in /v1/status")
    held.call()
    held.close()
    require(admin.penstock.wait_exit() == 0, "not a normal stop")
    require(admin.penstock.logged(r"accepting stops in 3000 ms"), "the log does not say so")


def second_signal(rig, case):
    """A second TERM ends the lame duck and the sessions at once."""
    admin = Admin(rig, case, lame_duck="1h", drain_timeout="1h")
    held = rig.keep(Caller(admin.target))
    held.call()
    admin.penstock.signal(signal.SIGTERM)
    wait_for(lambda: admin.ask("/readyz")[0] == 503, "/readyz is false")
    admin.penstock.signal(signal.SIGTERM)
    require(admin.penstock.wait_exit() == 0, "not a normal stop")
    require(held.ended() in ("fin", "reset"), "the session goes on")


def row(name, body, ways=ENGINES, **options):
    return Case(name, body.__doc__, body=body, backends=("echo",), ways=ways, **options)


CASES = (
    row("admin-malformed", malformed, seconds=60.0),
    row("admin-giant-body", giant_body),
    row("admin-idle-crowd", idle_crowd),
    row("admin-slow-readers", slow_readers, seconds=120.0),
    row("admin-socket-file", socket_file, ONCE),
    row("admin-stale-file", stale_file, ONCE),
    row("admin-default-socket", default_socket, ONCE),
    row("admin-off", everything_off, ONCE),
    row("admin-lame-duck", lame_duck),
    row("admin-second-signal", second_signal),
)
