"""Addresses and socket options: both families, UNIX sockets, port ranges, and the effect of a listener's keys on its sockets."""
import os
import re
import select
import socket
import subprocess
import threading
from collections import Counter
from pathlib import Path

import needs
import sandbox
from backends import Backend
from case import EACH, ENGINES, ONCE, Case, Stage
from peers import Caller, Peer, connect, listen
from rig import Skip, holds_for, require, wait_for

MB = 1 << 20


def try_all(targets, count=1):
    for number, target in enumerate(targets):
        for turn in range(count):
            caller = Caller(target, key=number * 10 + turn)
            caller.call(100000)
            caller.close()


def ipv6(rig, case):
    """IPv6 works on both sides."""
    needs.ipv6()
    backend = rig.keep(Backend(("::1", rig.ports.free())))
    port = rig.ports.free()
    rig.launch(rig.ini([f"[::1]:{backend.address[1]}"], [f"[::1]:{port}"]))
    try_all([("::1", port)], 3)
    require(all("::1" in row["client"] and "::1" in row["addr"] for row in rig.access(3)), "the access log has other addresses")


def dual_stack(rig, case):
    """`*:PORT` serves both families. `[::]:PORT` serves only IPv6, so that another socket can have the port on IPv4."""
    needs.ipv6()
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    star, six = rig.ports.free(), rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"*:{star}", f"[::]:{six}", f"127.0.0.1:{six}"]))
    try_all([("127.0.0.1", star), ("::1", star), ("::1", six), ("127.0.0.1", six)])


def unix_sockets(rig, case):
    """UNIX sockets work on both sides, and a stale socket file of an earlier run does not prevent a start."""
    backend = rig.keep(Backend(rig.path("backend.sock")))
    front, port = rig.path("front.sock"), rig.ports.free()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(front)
    rig.launch(rig.ini([f"unix:{backend.address}"], [f"unix:{front}", f"127.0.0.1:{port}"]))
    try_all([front, ("127.0.0.1", port)], 2)
    caller = rig.keep(Caller(front))
    caller.sock.sendall(bytes(caller.stream.peek(1000)))
    caller.sock.shutdown(socket.SHUT_WR)
    received = b""
    while len(received) < 1000:
        data = caller.sock.recv(1000)
        require(data, "the half-closed connection lost its answer")
        received += data
    require(caller.expected.matches(received) and caller.ended() == "fin", "wrong bytes or a reset after half-close")


def unix_urgent(rig, case):
    """An urgent byte of a UNIX socket is relayed like any other byte, in both directions."""
    listener, front = rig.keep(listen(rig.path("backend.sock"))), rig.path("front.sock")
    rig.launch(rig.ini([f"unix:{rig.path('backend.sock')}"], [f"unix:{front}"]))
    client = Peer(rig.keep(connect(front)), "c", "s", {}, 10)
    server = Peer(rig.keep(listener.accept()[0]), "s", "c", {}, 10)
    for sender, receiver in ((client, server), (server, client)):
        sender.send(1000)
        receiver.recv(1000)
        try:
            sender.sock.send(sender.mine.take(1), socket.MSG_OOB)
        except OSError as error:
            raise Skip(f"this kernel's UNIX sockets have no urgent bytes: {error}") from None
        sender.send(1000)
        receiver.recv(1001)


def unix_stops_reading(rig, case):
    """A UNIX backend shuts down reading, answers and ends normally. A slow client that still sends gets the whole answer and FIN."""
    listener, port = rig.keep(listen(rig.path("backend.sock"))), rig.ports.free()
    rig.launch(rig.ini([f"unix:{rig.path('backend.sock')}"], [f"127.0.0.1:{port}"]))
    client = Peer(rig.keep(connect(("127.0.0.1", port))), "c", "s", {}, 10)
    server = Peer(rig.keep(listener.accept()[0]), "s", "c", {}, 10)
    client.send(3)
    server.recv(3)
    server.sock.shutdown(socket.SHUT_RD)
    client.send(100000)
    answer = threading.Thread(target=server.play, args=((("send", 3 * MB), ("fin",)),), daemon=True)
    answer.start()
    client.recv(MB)
    client.send(100000)
    reset = select.poll()
    reset.register(client.sock, 0)
    # If the backend counted as gone, a client without progress would be reset after a second.
    holds_for(lambda: not reset.poll(0), "a client that pauses is not reset", 1.3)
    client.recv(2 * MB)
    client.expect_fin()
    answer.join(5)
    server.close()
    client.fin()
    require([row["end"] for row in rig.access(1)] == ["--"], f"not an orderly end: {rig.access()}")


def unix_in_use(rig, case):
    """A UNIX socket on which another process listens is reported as in use, and still belongs to that process."""
    front = rig.path("front.sock")
    owner = rig.keep(Backend(front))
    from cases_lifecycle import fails
    fails(rig, ["run", "-c", rig.ini(["127.0.0.1:9"], [f"unix:{front}"])], r"front\.sock.*in use|in use.*front\.sock", lines=None)
    try_all([front])
    require(owner.accepted >= 1, "the owner lost its socket")


def port_range(rig, case):
    """Every port of a range serves clients."""
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    first = rig.ports.free(5)
    rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{first}-{first + 4}"]))
    try_all([("127.0.0.1", first + offset) for offset in range(5)])


def even_workers(rig, case):
    """A few long-lived connections are spread evenly over both workers, however the kernel has distributed them."""
    stage = Stage(rig, case)
    total = 0
    for count in (2, 2, 2, 2, 4, 8):
        callers = [Caller(stage.target, key=number) for number in range(count)]
        for caller in callers:
            caller.call(100)
        for caller in callers:
            caller.close()
        total += count
        workers = Counter(row["worker"] for row in rig.access(total)[-count:])
        require(len(workers) == 2 and max(workers.values()) - min(workers.values()) <= 1,
                f"{count} connections on the workers: {dict(workers)}")


def affinity(rig, case):
    """cpu_affinity pins worker N to the N-th CPU in its list."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Skip("needs two CPUs")
    chosen = [cpus[1], cpus[0]]
    case = Case(**{**vars(case), "glob": {"cpu_affinity": ",".join(map(str, chosen))}})
    penstock = Stage(rig, case).penstock
    masks = Counter()
    for task in os.listdir(f"/proc/{penstock.pid}/task"):
        masks[re.search(r"^Cpus_allowed_list:\s+(\S+)", Path(f"/proc/{penstock.pid}/task/{task}/status").read_text(), re.M)[1]] += 1
    require(masks[str(chosen[0])] >= 1 and masks[str(chosen[1])] >= 1, f"threads may run on {dict(masks)}")


def one_interface(rig, case):
    """interface = lo binds the listening socket to that interface."""
    stage = Stage(rig, case)
    try_all([stage.target])
    options = listening_options(stage.penstock.pid, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    require(options and all(value.startswith(b"lo\0") for value in options), f"bound to {options}")


def inet_sockets(pid):
    """Yields a duplicate of each TCP socket of the process."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                sock = socket.socket(fileno=sandbox.borrow_descriptor(pid, int(name)))
                if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
                    yield sock
                else:
                    sock.close()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Skip(f"cannot look at another process's sockets: {error}") from None


def listening_options(pid, level, option, size):
    values = []
    for sock in inet_sockets(pid):
        with sock:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                values.append(sock.getsockopt(level, option, size))
    return values


def session_options(rig, case):
    """The sockets of both sides of a session have the options that the keys of a listener set."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    caller.call(1000)
    wanted = (("TCP_NODELAY", socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
              ("TCP_USER_TIMEOUT", socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000),
              ("SO_RCVBUF", socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * 65536),
              ("SO_SNDBUF", socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * 49152))
    sides = 0
    for sock in inet_sockets(stage.penstock.pid):
        with sock:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                continue
            sides += 1
            for name, level, option, value in wanted:
                got = sock.getsockopt(level, option)
                require(got == value, f"{name} is {got} instead of {value} on {sock.getsockname()} - {sock.getpeername()}")
    require(sides == 2, f"{sides} TCP sockets besides the listening ones")


def keepalive(rig, case):
    """TCP probes both sides of a session while they are idle. With `keepalive = off`, it never does."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    caller.call(1000)
    level = socket.IPPROTO_TCP

    def probed():
        sides = []
        for sock in inet_sockets(stage.penstock.pid):
            with sock:
                if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
                    sides.append(sock.getsockopt(level, socket.TCP_KEEPIDLE))
        return sides

    wanted = [] if case.listener["keepalive"] == "off" else [2, 2]
    require(probed() == wanted, f"keepalive times of the two sides are {probed()} instead of {wanted}")


def backlog(rig, case):
    """The kernel reports the configured backlog for the listening sockets, up to its own limit."""
    stage = Stage(rig, case)
    limit = int(Path("/proc/sys/net/core/somaxconn").read_text())
    if subprocess.run(["which", "ss"], capture_output=True, check=False).returncode:
        raise Skip("ss is not installed")
    text = subprocess.run(["ss", "-Htln", f"sport = :{stage.target[1]}"], capture_output=True, text=True, check=True).stdout
    sizes = [int(line.split()[2]) for line in text.splitlines()]
    require(len(sizes) == 2 and set(sizes) == {min(77, limit)}, f"backlogs {sizes}: one socket for each worker is due")


def defer_accept(rig, case):
    """With defer_accept, a client reaches a backend only when it has sent something."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    require(caller.silent(0.3) and stage.backends[0].accepted == 0, "passed on before it said anything")
    caller.call(1000)


def environment_and_include(rig, case):
    """${NAME} is replaced by a value from the environment, and include reads other files."""
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    port = rig.ports.free()
    rig.write("pool.ini", "[pool main]\ncheck = none\nbackend = one ${BACKEND}\n")
    ini = rig.write("top.ini", f"[global]\nworkers = 1\nengine = {rig.engine}\naccess_log = {rig.access_path}\ninclude = {rig.folder}/pool.ini\n"
                               "[listener main]\n  bind = 127.0.0.1:${PORT}\n  pool = main\n")
    rig.launch(ini, environment={"BACKEND": f"127.0.0.1:{backend.address[1]}", "PORT": str(port)})
    try_all([("127.0.0.1", port)])


def access_log_fields(rig, case):
    """Each session has a line with its number, both addresses, names, times and the bytes of each direction. The log's lines about it have the same number."""
    stage = Stage(rig, case)
    caller = Caller(stage.target)
    caller.call(12345)
    local = caller.sock.getsockname()
    caller.close()
    row = rig.access(1)[0]
    due = {"client": f"{local[0]}:{local[1]}", "listener": "main", "pool": "main", "backend": "b0",
           "addr": f"127.0.0.1:{stage.backends[0].address[1]}", "bytes_in": "12345", "bytes_out": "12345", "tries": "1", "end": "--"}
    wrong = {key: row.get(key) for key, value in due.items() if row.get(key) != value}
    require(not wrong, f"fields are off: {wrong} in {row}")
    require(float(row["duration_ms"]) >= float(row["connect_ms"]) > 0 and row["worker"] in "01" and "reason" in row, f"times: {row}")
    require(row["session"] == f"{row['worker']}.1", f"the first session of its worker has the number {row['session']}")
    for move in (rf"client {row['client']} of listener main -> CONNECTING", "CONNECTING -> RELAYING", "from the client: COPY -> ENDING", "RELAYING -> CLOSING"):
        stage.penstock.wait_log(rf"session {row['session']}: {move}")


CASES = (
    Case("ipv6", ipv6.__doc__, body=ipv6, ways=EACH),
    Case("dual-stack", dual_stack.__doc__, body=dual_stack, ways=ENGINES),
    Case("unix-sockets", unix_sockets.__doc__, body=unix_sockets, ways=EACH),
    Case("unix-urgent-byte", unix_urgent.__doc__, body=unix_urgent, ways=EACH),
    Case("unix-backend-stops-reading", unix_stops_reading.__doc__, body=unix_stops_reading, ways=EACH),
    Case("unix-socket-in-use", unix_in_use.__doc__, body=unix_in_use, ways=ONCE),
    Case("port-range", port_range.__doc__, body=port_range, ways=ENGINES),
    Case("few-connections-spread-over-workers", even_workers.__doc__, body=even_workers, backends=("echo",), ways=ENGINES),
    Case("cpu-affinity", affinity.__doc__, body=affinity, backends=("echo",), ways=ENGINES),
    Case("interface", one_interface.__doc__, body=one_interface, backends=("echo",), listener={"interface": "lo"}, ways=ENGINES),
    Case("session-socket-options", session_options.__doc__, body=session_options, backends=("echo",), ways=ENGINES,
         listener={"tcp_user_timeout": "7s", "receive_buffer": "64k", "send_buffer": "48k"}),
    Case("keepalive", keepalive.__doc__, body=keepalive, backends=("echo",), ways=EACH, listener={"keepalive": "2s"}),
    Case("keepalive-off", keepalive.__doc__, body=keepalive, backends=("echo",), ways=ENGINES, listener={"keepalive": "off"}),
    Case("backlog", backlog.__doc__, body=backlog, backends=("echo",), ways=ENGINES, listener={"backlog": 77}),
    Case("defer-accept", defer_accept.__doc__, body=defer_accept, backends=("echo",), ways=ENGINES, listener={"defer_accept": "yes"}),
    Case("environment-and-include", environment_and_include.__doc__, body=environment_and_include, ways=ENGINES),
    Case("access-log-fields", access_log_fields.__doc__, body=access_log_fields, backends=("echo",), glob={"log_level": "debug"}, ways=EACH),
)
