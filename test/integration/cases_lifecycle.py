"""Start and stop. A failed start gives one clear line and an exit status. A stop drains first."""
import errno
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import sandbox
from backends import Backend
from case import ENGINES, ONCE, Case, Stage
from peers import Caller, Peer, connect, listen
from rig import Penstock, Skip, holds_for, require, wait_for


def refused(address):
    try:
        socket.create_connection(address, 2).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def drain(number):
    def body(rig, case):
        """After a stop signal, new connections are refused and open ones continue. When the last one is closed, penstock ends with status 0."""
        stage = Stage(rig, case)
        callers = [Caller(stage.target, key=key) for key in range(4)]
        for caller in callers:
            caller.call(1000)
        stage.penstock.signal(number)
        wait_for(lambda: refused(stage.target), "new connections are refused", 3)
        for _ in range(5):
            for caller in callers:
                caller.call(30000)
        holds_for(stage.penstock.alive, "it runs while connections are open", 0.3)
        for caller in callers:
            caller.call(10)
            caller.close()
        began = time.monotonic()
        status = stage.penstock.wait_exit(5)
        require(status == 0, f"status {status}")
        require(time.monotonic() - began < 2, "it waited although no session was left")
        ends = [row["end"] for row in rig.access(4) if row["bytes_in"] != "0"]  # without the connections of refused()
        require(ends == ["--"] * 4, f"drained sessions ended {ends}")
    return body


def drain_deadline(rig, case):
    """Connections that are still open after drain_timeout are closed, and penstock ends with status 0."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    caller.call(1000)
    began = time.monotonic()
    stage.penstock.signal(signal.SIGTERM)
    end = caller.ended()
    took = time.monotonic() - began
    require(end == "reset", "FIN, although nothing had ended")
    require(0.9 <= took < 3, f"closed after {took:.2f} s instead of 1 s")
    require(stage.penstock.wait_exit(5) == 0, "status is not 0")
    stage.expect_ends(1)


def stopped_in_mid_transfer(rig, case):
    """A transfer that a stop cuts short is reset, so that neither a downloading client nor the backend of an upload takes it for complete."""
    stage = Stage(rig, case)
    pairs = []
    for number in range(4):
        client = rig.keep(connect(stage.target))
        server = rig.keep(stage.scripted.accept()[0])
        pairs.append((Peer(client, f"c{number}", f"s{number}", {}, 10), Peer(server, f"s{number}", f"c{number}", {}, 10)))
    for number, (client, server) in enumerate(pairs):
        sender, reader = (server, client) if number % 2 else (client, server)
        sender.send(100000 + number)
        reader.recv(100000 + number)
        if number > 1:  # the other direction ends before the stop, and so ends normally
            reader.fin()
            sender.expect_fin()
    stage.penstock.signal(signal.SIGTERM)
    for number, (client, server) in enumerate(pairs):
        (client if number % 2 else server).expect_reset()
    require(stage.penstock.wait_exit(5) == 0, "status is not 0")
    stage.expect_ends(4)


def second_signal(rig, case):
    """A second signal ends penstock at once."""
    stage = Stage(rig, case)
    caller = rig.keep(Caller(stage.target))
    caller.call(1000)
    stage.penstock.signal(signal.SIGTERM)
    wait_for(lambda: refused(stage.target), "new connections are refused", 3)
    stage.penstock.signal(signal.SIGTERM)
    require(stage.penstock.wait_exit(2) == 0, "status is not 0")
    caller.ended()


def queued_clients_at_stop(rig, case):
    """Clients that connect at the moment of the stop are either refused or served. None is accepted and then dropped."""
    stage = Stage(rig, case)
    early = [rig.keep(Caller(stage.target, key=key)) for key in range(40)]
    stage.penstock.signal(signal.SIGTERM)
    for caller in early:
        caller.call(500)
        caller.close()
    require(stage.penstock.wait_exit(5) == 0, "status is not 0")


def fails(rig, arguments, pattern, status=1, seconds=5.0, lines=1, **options):
    """Runs penstock, which must fail in time, with this status and at most `lines` lines, one of which matches. Returns its output."""
    process = Penstock(rig, arguments, rig.path("fails"), **options)
    rig.started.append(process)
    began = time.monotonic()
    got = process.wait_exit(seconds)
    text = process.log()
    os.unlink(process.log_path)
    Path(process.log_path).touch()
    require(got == status, f"status {got} instead of {status}: {text}")
    require(re.search(pattern, text, re.I), f"no line matches /{pattern}/: {text}")
    require(lines is None or len(text.strip().splitlines()) <= lines, f"more than {lines} lines: {text}")
    require(time.monotonic() - began < seconds, "too late")
    return text


def address_in_use(rig, case):
    """If another program has the port, a line names the address and its file and line. The status is 1, and no socket stays open."""
    port, free = rig.ports.free(), rig.ports.free()
    rig.keep(listen(("127.0.0.1", port)))
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{free}", f"127.0.0.1:{port}"])
    text = fails(rig, ["run", "-c", ini], r"in use", lines=None)
    require(f"127.0.0.1:{port}" in text and re.search(re.escape(ini) + r":\d+", text), f"not clear which: {text}")
    require(refused(("127.0.0.1", free)), "the other listener was left open")


def second_penstock(rig, case):
    """A second penstock with the same configuration is refused. SO_REUSEPORT must not let it share the port silently."""
    stage = Stage(rig, case)
    fails(rig, ["run", "-c", stage.ini], r"in use", lines=None)
    caller = rig.keep(Caller(stage.target))
    caller.call(100)


def quick_restart(rig, case):
    """Penstock is stopped and started again at once on the same port, five times, while a client is connected."""
    stage = Stage(rig, case)
    penstock = stage.penstock
    for number in range(5):
        caller = Caller(stage.target, key=number)
        caller.call(5000)
        penstock.signal(signal.SIGTERM)
        wait_for(lambda: refused(stage.target), "new connections are refused", 3)
        penstock.signal(signal.SIGTERM)
        require(penstock.wait_exit(5) == 0, "status is not 0")
        caller.close()
        penstock = rig.main = rig.launch(stage.ini)
    Caller(stage.target, key=9).call(5000)


def privileged_port(rig, case):
    """An unprivileged user who configures a port below 1024 gets one clear line."""
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 81:
        raise Skip("this machine lets everyone bind low ports")
    ini = rig.ini(["127.0.0.1:9"], ["127.0.0.1:81"], {"access_log": None})
    fails(rig, ["run", "-c", ini], r"127\.0\.0\.1:81.*permi|permi.*127\.0\.0\.1:81", user=sandbox.NOBODY, lines=None)


def unreadable(rig, case):
    """A configuration that cannot be read, does not exist, or is a folder is refused."""
    secret = rig.write("secret.ini", "[global]\n", 0)
    if os.getuid() == 0:
        fails(rig, ["run", "-c", secret], r"secret\.ini.*permission", user=sandbox.NOBODY)
    else:
        fails(rig, ["run", "-c", secret], r"secret\.ini.*permission")
    fails(rig, ["run", "-c", rig.path("nothing.ini")], r"nothing\.ini.*no such")
    fails(rig, ["run", "-c", rig.folder], re.escape(rig.folder))


BAD = """[global]
wrokers = 2
[listener web]
bind = 127.0.0.1:99999
pool = nowhere
[pool main]
balance = fastest
backend = a 127.0.0.1:80 weight=0
backend = a 127.0.0.1:81
connect_timeout = 5
"""


def bad_config(rig, case):
    """Every error is reported with its file and line. `run` starts nothing, and `check` reports the same errors."""
    ini = rig.write("bad.ini", BAD)
    for command in ("check", "run"):
        text = fails(rig, [command, "-c", ini], r"workers", lines=None)
        for line in (2, 4, 5, 7, 8, 9, 10):
            require(f"bad.ini:{line}:" in text, f"{command} does not tell line {line}: {text}")
    good = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"])
    done = subprocess.run([rig.penstock, "check", "-c", good], capture_output=True, text=True, timeout=10, check=False)
    require(done.returncode == 0 and "main" in done.stdout, f"check refuses a good file: {done}")


def warnings(rig, case):
    """For values that are probably a mistake, `check` warns with file and line, and ends with status 0. `run` logs the same, even if it then cannot start."""
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    port = rig.ports.free()
    pool = {"check": "http", "check_body": '"ok"'}
    ini = rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{port}"], {"log": rig.path("run.log")}, pool=pool)
    said = r'penstock\.ini:\d+: (warning: )?check_body = "ok": the quotes'
    done = subprocess.run([rig.penstock, "check", "-c", ini], capture_output=True, text=True, timeout=10, check=False)
    require(done.returncode == 0 and re.search(said, done.stderr), f"check: {done}")
    penstock = rig.launch(ini, ready=False)
    wait_for(lambda: Path(rig.path("run.log")).exists() and re.search(said, Path(rig.path("run.log")).read_text()), "the log says it")
    require("warning:" not in Path(rig.path("run.log")).read_text(), "the log says it beside the level again")
    penstock.stop()
    ini = rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{port}"], {"log": "$LOGDIR/x.log"})
    fails(rig, ["run", "-c", ini], r"penstock\.ini:\d+: log = \$LOGDIR/x\.log: .*\$\{NAME\}", lines=2)


def usage(rig, case):
    """Wrong usage gives status 2 and a hint."""
    for arguments in (["run", "--nonsense"], ["frobnicate"], ["run", "-c"], ["check", "extra"]):
        fails(rig, arguments, r"usage|unknown|unrecognized|invalid|needs|expected|argument|option", status=2, lines=None)
    done = subprocess.run([rig.penstock, "version"], capture_output=True, text=True, timeout=10, check=False)
    require(done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout), f"version: {done}")


def blocked(answer):
    def body(rig, case):
        """If a seccomp filter forbids io_uring, `auto` falls back to epoll and logs why. `engine = io_uring` is then an error."""
        stage = Stage(rig, case, block_io_uring=answer)
        reason = os.strerror(answer)
        require(stage.penstock.logged("epoll"), "the log does not name the engine")
        require(re.search(rf"io_uring.*({reason}|{errno.errorcode[answer]})|({reason}).*io_uring", stage.penstock.log(), re.I),
                f"the log does not say why ({reason})")
        caller = rig.keep(Caller(stage.target))
        caller.call(100000)
        ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"engine": "io_uring"})
        fails(rig, ["run", "-c", ini], r"io_uring", block_io_uring=answer, lines=None)
    return body


def engine_line(rig, case):
    """Right after the start, the log names the engine."""
    stage = Stage(rig, case)
    require(stage.penstock.logged(rf"engine.*{rig.engine}|{rig.engine}.*engine"), "no line names the engine")


CASES = (
    Case("drain-on-term", drain(signal.SIGTERM).__doc__, body=drain(signal.SIGTERM), backends=("echo",), glob={"drain_timeout": "20s"}),
    Case("drain-on-int", drain(signal.SIGINT).__doc__, body=drain(signal.SIGINT), backends=("echo",), glob={"drain_timeout": "20s"},
         ways=ENGINES),
    Case("drain-deadline", drain_deadline.__doc__, body=drain_deadline, backends=("echo",), glob={"drain_timeout": "1s"}, ends=("KD",),
         ways=ENGINES),
    Case("stop-in-mid-transfer", stopped_in_mid_transfer.__doc__, body=stopped_in_mid_transfer, glob={"drain_timeout": "500ms"}, ends=("KD",)),
    Case("second-term-ends-at-once", second_signal.__doc__, body=second_signal, backends=("echo",), glob={"drain_timeout": "30s"},
         ways=ENGINES),
    Case("clients-in-the-queue-at-stop", queued_clients_at_stop.__doc__, body=queued_clients_at_stop, backends=("echo",), ways=ENGINES),
    Case("address-in-use", address_in_use.__doc__, body=address_in_use, ways=ENGINES),
    Case("address-in-use-by-penstock", second_penstock.__doc__, body=second_penstock, backends=("echo",), ways=ENGINES),
    Case("quick-restart", quick_restart.__doc__, body=quick_restart, backends=("echo",), ways=ENGINES),
    Case("privileged-port", privileged_port.__doc__, body=privileged_port, ways=ONCE),
    Case("unreadable-configuration", unreadable.__doc__, body=unreadable, ways=ONCE),
    Case("bad-configuration", bad_config.__doc__, body=bad_config, ways=ONCE),
    Case("values-hardly-meant", warnings.__doc__, body=warnings, ways=ONCE),
    Case("wrong-usage", usage.__doc__, body=usage, ways=ONCE),
    Case("io-uring-blocked-eperm", blocked(errno.EPERM).__doc__, body=blocked(errno.EPERM), backends=("echo",), ways=ONCE),
    Case("io-uring-blocked-enosys", blocked(errno.ENOSYS).__doc__, body=blocked(errno.ENOSYS), backends=("echo",), ways=ONCE),
    Case("log-names-the-engine", engine_line.__doc__, body=engine_line, backends=("echo",), ways=ENGINES),
)
