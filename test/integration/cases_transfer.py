"""Transfers: every byte arrives once and in order, whatever the sizes, the pauses and the way in which a stream ends."""
import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

from backends import Backend
from bench import Load, Server
from case import DIAGONAL, EACH, ENGINES, Case, Stage
from peers import Caller, Peer, connect, listen, reset
from rig import Failure, Skip, require, wait_for

MB = 1 << 20
BUFFER = 1 << 14  # maximum number of bytes of one receive
SIZES = (1, 2, 3, 1447, 1448, 1449, 4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, MB + 1)

# Scripts (client, server): the client resets while the server waits. mirrored() exchanges the sides.
RESET_BY_CLIENT = ((("send", 5000), ("recv", 7000), ("reset",)),
                   (("recv", 5000), ("send", 7000), ("expect_reset",)))


def mirrored(pair):
    return pair[1], pair[0]


def unacknowledged(sock):
    """Returns the number of bytes that the peer's kernel has not acknowledged. FIN counts as one byte."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


def bulk(direction):
    def body(rig, case):
        """A gigabyte is sent in one direction. penstock-bench checks every byte and reports the result by its exit status."""
        server = rig.keep(Server(rig, "source" if direction == "bulk-down" else "sink", rig.ports.free()))
        port = rig.ports.free()
        rig.launch(rig.ini([f"127.0.0.1:{server.port}"], [f"127.0.0.1:{port}"]))
        size = "128M" if rig.sanitized else "1G"
        load = rig.keep(Load(rig, port, direction, "--connections", "1", "--bytes", size, "--requests", "1", "--timeout", "30s"))
        load.finish(case.seconds - 5)
        row = rig.access(1)[0]
        require(max(int(row["bytes_in"]), int(row["bytes_out"])) >= (1 << 27 if rig.sanitized else 1 << 30), f"too few bytes: {row}")
    return body


def no_leak_between_sessions(rig, case):
    """Sessions are closed in the middle of bulk transfers, while pipes and buffers are full. Later sessions must get only their own bytes."""
    stage = Stage(rig, case)
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free()), "x", "source"))
    port = rig.ports.free()
    second = rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}", ], [f"127.0.0.1:{port}"], {"workers": 1}))
    for round_number in range(30):
        sock = connect(("127.0.0.1", port))
        peer = Peer(sock, "c", "source", {}, 10)
        peer.recv(200000 + round_number * 4097)
        if round_number % 2:
            reset(sock)
        else:
            sock.close()
    second.sessions_gone()
    second.stop()
    for number in range(30):
        caller = Caller(stage.target, key=number)
        caller.call(3 * MB // 10)
        reset(caller.sock)


def adaptive(rig, case):
    """With splice = auto, a connection alternates between RPC and bulk, so that each direction changes from copy to splice and back."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target, seconds=20))
    for round_number in range(6):
        for _ in range(40):
            caller.call(200)
        caller.sock.settimeout(20)
        peer = Peer(caller.sock, "call1", "call1", {}, 20)
        peer.mine.position = peer.theirs.position = caller.stream.position
        peer.both(4 * MB + round_number * 1021, 4 * MB + round_number * 1021)
        caller.stream.position = caller.expected.position = peer.mine.position
    caller.close()


def splices_what_exceeds_a_buffer(rig, case):
    """Messages that fit into a buffer are copied, and slightly larger ones are spliced, because this is cheaper for each."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    before = stage.penstock.pipe_ends()
    for _ in range(20):
        caller.call(BUFFER - 1)
    require(stage.penstock.pipe_ends() == before, "messages smaller than a buffer were spliced")
    for _ in range(20):
        caller.call(BUFFER + 4096)
    require(stage.penstock.pipe_ends() > before, "messages larger than a buffer were copied")


class Splices:
    """Counts the splice(2) calls of a process with strace."""

    def __init__(self, rig, pid):
        self.path = rig.path("splices")
        try:
            self.process = subprocess.Popen(["strace", "-f", "-e", "trace=splice", "-o", self.path, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            raise Skip("needs strace") from None
        threads = len(os.listdir(f"/proc/{pid}/task"))
        for line in self.process.stderr:  # strace prints one line for the process and all of its threads
            if f"{pid} attached" in line:
                break
        else:
            raise Skip("strace cannot attach")
        wait_for(lambda: sum("TracerPid:\t0" not in Path(f"/proc/{pid}/task/{task}/status").read_text() for task in os.listdir(f"/proc/{pid}/task")) == threads,
                 "every thread is traced")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return Path(self.path).read_text().count("splice(")


def copies_again_what_fits_a_buffer(rig, case):
    """After larger messages, which are spliced, messages that fit into a buffer are copied again."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    counts = {}
    for name, size, before in (("larger", BUFFER + 4096, 5), ("fitting", BUFFER - 1, 10)):
        for _ in range(before):
            caller.call(size)
        splices = Splices(rig, stage.penstock.pid)
        for _ in range(10):
            caller.call(size)
        counts[name] = splices.stop()
    require(counts["larger"] >= 40, f"ten messages larger than a buffer and their answers took {counts['larger']} splices, not two each")
    require(counts["fitting"] == 0, f"{counts['fitting']} splices for messages that fit into a buffer")


def last_bytes_are_prompt(rig, case):
    """Messages larger than a pipe or a buffer, one at a time, arrive at once: the kernel must not hold their last bytes while it waits for more."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    times = []
    for size in (100000, 300001, 65537, 1449, 262145, 20000) * 6:
        began = time.monotonic()
        caller.call(size)
        times.append(time.monotonic() - began)
    median = sorted(times)[len(times) // 2]
    require(median < 0.1, f"the median of {len(times)} answers took {median * 1000:.0f} ms")


def urgent_byte_before_fin(rig, case):
    """An urgent byte, more bytes and FIN arrive before penstock continues to read. All bytes are relayed, although splice(2) does not pass an urgent byte."""
    stage = Stage(rig, case)
    stage.scripted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    for number, after in enumerate((10000, 0)):
        client = Peer(rig.keep(connect(stage.target)), f"c{number}", "s", {}, 10)
        server = Peer(rig.keep(stage.scripted.accept()[0]), "s", f"c{number}", {}, 10)
        client.send(150000)  # more than all buffers hold on the way to a server that does not read
        client.sock.send(client.mine.take(1), socket.MSG_OOB)
        client.send(after)
        client.fin()
        wait_for(lambda sock=client.sock: unacknowledged(sock) == 0, "penstock's kernel has all of it")
        server.recv(150001 + after)
        server.expect_fin()
        server.close()
        client.expect_fin()
    stage.expect_ends(2)


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def keep_from_running(pid, action):
    """Keeps the worker from running until `action` is done and the main thread has stopped. This thread runs on the worker's CPU with a higher priority."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        raise Skip("needs CAP_SYS_NICE") from None
    try:
        action()
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: state_of(pid) == "T", "the main thread has stopped", pause=0)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def urgent_byte_while_stopped(traffic):
    def body(rig, case):
        # While a stop signal is pending, a receive at an urgent byte returns nothing, although the byte has arrived (tcp_recvmsg checks for pending signals).
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise Skip("needs two CPUs")
        scripted = ("127.0.0.1", rig.ports.free())
        backend, port, calls = rig.keep(listen(scripted)), rig.ports.free(), rig.ports.free()
        server = rig.keep(Server(rig, "rpc", rig.ports.free()))
        penstock = rig.launch(rig.write("urgent.ini", f"""[global]
workers = 1
engine = {rig.engine}
access_log = {rig.access_path}
[defaults]
check = none
[listener urgent]
bind = 127.0.0.1:{port}
pool = urgent
[pool urgent]
backend = b0 {scripted[0]}:{scripted[1]}
[listener calls]
bind = 127.0.0.1:{calls}
pool = calls
[pool calls]
backend = b0 127.0.0.1:{server.port}
"""))
        client = rig.keep(connect(("127.0.0.1", port)))
        reader = rig.keep(backend.accept()[0])
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        reader.settimeout(5)
        client.sendall(b"hello")
        require(reader.recv(100) == b"hello", "no hello")
        worker = next(task for task in os.listdir(f"/proc/{penstock.pid}/task")
                      if Path(f"/proc/{penstock.pid}/task/{task}/comm").read_text().startswith("worker"))
        for task in os.listdir(f"/proc/{penstock.pid}/task"):
            os.sched_setaffinity(int(task), {cpus[0 if task == worker else 1]})
        load = rig.keep(Load(rig, calls, "rpc", "--connections", "8", "--rate", "3000", "--duration", "2s", "--timeout", "10s")) if traffic else None
        os.sched_setaffinity(0, {cpus[0]})
        for number in range(20):
            keep_from_running(penstock.pid, lambda: client.send(b"!", socket.MSG_OOB))
            wait_for(lambda: state_of(f"{penstock.pid}/task/{worker}") == "T", "the worker has stopped")
            os.kill(penstock.pid, signal.SIGCONT)
            try:
                require(reader.recv(100) == b"!", "another byte")
            except TimeoutError:
                raise Failure(f"urgent byte {number} did not arrive") from None
        if load:
            load.finish(15)
        penstock.wait_log("CONT: resumed")
    return body


CASES = (
    Case("transfer-sizes", "1 byte to 1 MiB + 1, there and back, each on a connection that both ends close",
         dialogues=tuple(((("send", n), ("fin",), ("recv", n), ("expect_fin",)),
                          (("recv", n), ("expect_fin",), ("send", n), ("fin",))) for n in SIZES), ends=("--",)),
    Case("transfer-sizes-while-open", "the same sizes in turn on one connection",
         client=tuple(step for n in SIZES for step in (("send", n), ("recv", n))) + (("fin",), ("expect_fin",)),
         server=tuple(step for n in SIZES for step in (("recv", n), ("send", n))) + (("expect_fin",),), ends=("--",)),
    Case("transfer-100mb-both-ways", "100 MB in each direction at once",
         client=(("both", 100 * MB, 100 * MB), ("fin",), ("expect_fin",)),
         server=(("both", 100 * MB, 100 * MB), ("expect_fin",)), ends=("--",), seconds=90),
    Case("transfer-1gb-down", "1 GB from the backend", body=bulk("bulk-down"), ways=DIAGONAL, seconds=90),
    Case("transfer-1gb-up", "1 GB to the backend", body=bulk("bulk-up"),
         ways=tuple(way for way in EACH if way not in DIAGONAL), seconds=90),
    Case("random-writes-and-pauses", "writes of random sizes with random pauses, both ways at once",
         dialogues=tuple(((("both", 3 * MB, 2 * MB, seed), ("fin",), ("expect_fin",)),
                          (("both", 2 * MB, 3 * MB, seed + 100), ("expect_fin",), ("fin",))) for seed in (1, 2)), ends=("--",)),
    Case("server-speaks-first", "a banner arrives before the client has sent anything",
         client=(("recv", 90), ("send", 10), ("recv", 5), ("expect_fin",)),
         server=(("send", 90), ("recv", 10), ("send", 5)), ends=("--",)),
    Case("half-close-then-answer", "the client ends its direction, the backend answers after it saw the end",
         dialogues=tuple(((("send", n), ("fin",), ("recv", 150000), ("expect_fin",)),
                          (("recv", n), ("expect_fin",), ("send", 150000))) for n in (1, 40000)), ends=("--",)),
    Case("half-close-by-server-then-upload", "the backend ends its direction first, the client goes on sending",
         client=(("recv", 3000), ("expect_fin",), ("send", 2 * MB), ("fin",)),
         server=(("send", 3000), ("fin",), ("recv", 2 * MB), ("expect_fin",)), ends=("--",)),
    Case("both-directions-end-at-once", "no side waits for the other's end",
         client=(("send", 70000), ("fin",), ("recv", 70000), ("expect_fin",)),
         server=(("send", 70000), ("fin",), ("recv", 70000), ("expect_fin",)), ends=("--",)),
    Case("fin-without-data", "an end of stream with no byte before it, from either side",
         dialogues=(((("fin",), ("expect_fin",)), (("expect_fin",), ("fin",))),
                    ((("expect_fin",), ("fin",)), (("fin",), ("expect_fin",))),
                    ((("close",),), (("expect_fin",),))), ends=("--",)),
    Case("reset-by-client-in-mid-relay", "a reset stays a reset on the other side", ends=("CD",),
         client=RESET_BY_CLIENT[0], server=RESET_BY_CLIENT[1]),
    Case("reset-by-server-in-mid-relay", "a reset stays a reset on the other side", ends=("SD",),
         client=mirrored(RESET_BY_CLIENT)[0], server=mirrored(RESET_BY_CLIENT)[1]),
    Case("reset-after-half-close", "one direction has ended, then the other side resets", ends=("CD", "SD"),
         dialogues=(((("send", 10), ("fin",), ("expect_reset",)), (("recv", 10), ("expect_fin",), ("reset",))),
                    ((("recv", 10), ("expect_fin",), ("reset",)), (("send", 10), ("fin",), ("expect_reset",))))),
    Case("reset-while-the-server-does-not-read", "the client fills every buffer, then resets", ends=("CD",),
         client=(("fill",), ("reset",)), server=(("expect_reset_unread",),)),
    Case("reset-while-the-client-does-not-read", "the server fills every buffer, then resets", ends=("SD",),
         client=(("expect_reset_unread",),), server=(("fill",), ("reset",))),
    Case("reset-in-mid-bulk", "a reset between two megabytes; the reader gets ECONNRESET and no wrong byte", ends=("CD", "SD"),
         dialogues=(((("send", 5 * MB), ("reset",)), (("expect_reset",),)),
                    ((("expect_reset",),), (("send", 5 * MB), ("reset",))))),
    Case("urgent-byte-before-fin", urgent_byte_before_fin.__doc__, body=urgent_byte_before_fin, ends=("--",),
         listener={"send_buffer": "16k"}),
    *(Case(f"urgent-byte-while-stopped{name}", "an urgent byte that comes while the process is being stopped is not left lying" + what,
           body=urgent_byte_while_stopped(traffic), ways=(("io_uring", "auto"),))
      for name, what, traffic in (("", "", False), ("-busy", ", beside other traffic", True))),
    Case("no-leak-between-sessions", no_leak_between_sessions.__doc__, body=no_leak_between_sessions, backends=("echo",)),
    Case("adaptive-copy-and-splice", adaptive.__doc__, body=adaptive, backends=("echo",), ways=ENGINES),
    Case("fitting-is-copied-again", copies_again_what_fits_a_buffer.__doc__, body=copies_again_what_fits_a_buffer, backends=("echo",), ways=ENGINES),
    Case("larger-than-a-buffer-is-spliced", splices_what_exceeds_a_buffer.__doc__, body=splices_what_exceeds_a_buffer, backends=("echo",), ways=ENGINES),
    Case("last-bytes-are-prompt", last_bytes_are_prompt.__doc__, body=last_bytes_are_prompt, backends=("echo",)),
)
