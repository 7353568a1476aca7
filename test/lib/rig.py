"""A real penstock under test: free ports, a generated ini, the process, its log, and the check that it ends cleanly.

One Rig belongs to one run of one case, which has a process of its own (runner.py)."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import sandbox


class Failure(Exception):
    """The case has failed."""


class Skip(Exception):
    """The case cannot run on this machine, for the reason in the text."""


class PortTaken(Exception):
    """Another process took a port between our probe and penstock's bind. The run is repeated."""


def require(condition, text):
    if not condition:
        raise Failure(text)


def wait_for(condition, what, seconds=10.0, pause=0.01):
    """Polls until `condition()` is true, and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:g} s in vain until {what}")
        if pause:
            time.sleep(pause)


def settled(read, what, still, seconds=10.0):
    """Polls until `read()` has returned the same value for `still` seconds, and returns that value."""
    value, since = read(), time.monotonic()

    def is_still():
        nonlocal value, since
        now = read()
        if now != value:
            value, since = now, time.monotonic()
        return time.monotonic() - since > still

    wait_for(is_still, what, seconds)
    return value


def holds_for(condition, what, seconds):
    """Requires that `condition()` stays true for this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        require(condition(), f"did not stay so for {seconds:g} s: {what}")
        time.sleep(0.01)


# Ports are below the kernel's range for outgoing connections. Otherwise a connection could take one after the probe.
def ephemeral_low():
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32768


class Ports:
    def __init__(self):
        self.low, self.high = 10000, max(11000, ephemeral_low() - 100)
        self.next = self.low + (os.getpid() * 97) % (self.high - self.low)

    def free(self, count=1):
        """Returns the first of `count` consecutive ports that are free in both address families."""
        for _ in range(2000):
            first, self.next = self.next, self.next + count
            if self.next >= self.high:
                self.next = self.low
                continue
            if all(self._probe(port) for port in range(first, first + count)):
                return first
        raise Skip("no free ports")

    @staticmethod
    def _probe(port):
        for family, host, kind in ((socket.AF_INET, "0.0.0.0", socket.SOCK_STREAM), (socket.AF_INET6, "::", socket.SOCK_STREAM),
                                   (socket.AF_INET, "0.0.0.0", socket.SOCK_DGRAM), (socket.AF_INET6, "::", socket.SOCK_DGRAM)):
            try:
                with socket.socket(family, kind) as probe:
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind((host, port))
            except OSError as error:
                if family == socket.AF_INET or error.errno == 98:
                    return False
        return True


class Penstock:
    """One penstock process. `user` is the uid to run as (only as root). A seccomp filter makes io_uring fail with the errno `block_io_uring`, and forbids
    sockets of the family `block_family`. `limits` are resource limits by their RLIMIT number. `stdout` is a descriptor for standard output, which otherwise
    is the same file as standard error. `run`, `dev`: folders that it sees as /run and /dev."""

    def __init__(self, rig, arguments, log, user=None, block_io_uring=None, block_family=None, environment=None, limits=None,
                 stdout=None, run=None, dev=None):
        def prepare():
            sandbox.die_with_parent()
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), min(hard, 20000)))
            for kind, limit in (limits or {}).items():
                resource.setrlimit(kind, (limit, limit))
            if run or dev:
                sandbox.own_folders({"/run": run, "/dev": dev})
            sandbox.apply(user, block_io_uring, block_family)

        self.rig = rig
        self.log_path = log
        self.sockets_at_start = 0
        self.process = subprocess.Popen([rig.program(user), *arguments], stdin=subprocess.DEVNULL, stdout=stdout or open(log, "ab"),
                                        stderr=open(log, "ab"), preexec_fn=prepare,
                                        env={**os.environ, **(environment or {})}, cwd="/")
        self.pid = self.process.pid

    def log(self):
        return Path(self.log_path).read_text(errors="replace")

    def logged(self, pattern):
        return re.search(pattern, self.log(), re.M | re.I)

    def wait_log(self, pattern, seconds=10.0):
        def seen():
            found = self.logged(pattern)
            if not found:
                self.require_alive()
            return found
        return wait_for(seen, f"the log says /{pattern}/", seconds)

    def wait_ready(self, seconds=15.0):
        def ready():
            if self.logged(r"\bready\b"):
                return True
            if self.process.poll() is not None:
                if self.logged("in use"):
                    raise PortTaken(self.log())
                raise Failure(f"penstock ended with status {self.process.returncode} before it was ready")
            return False
        wait_for(ready, "penstock is ready", seconds)
        self.sockets_at_start = self.sockets()
        return self

    def alive(self):
        return self.process.poll() is None

    def require_alive(self):
        require(self.alive(), f"penstock ended with status {self.process.returncode}")

    def descriptors(self):
        kinds = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                kinds.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except FileNotFoundError:
                pass
        return kinds

    def sockets(self):
        return sum(kind.startswith("socket:") for kind in self.descriptors())

    def pipe_ends(self):
        return sum(kind.startswith("pipe:") for kind in self.descriptors())

    def rss_kb(self):
        return int(re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.M)[1])

    def must_rest(self, most, why, seconds=1.0):
        """Requires that the process uses at most this many CPU seconds while nothing happens for this time. The pause itself is measured."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        require(self.cpu_seconds() - before < most, why)

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_workers(self):
        """Waits until every worker sleeps, so that each has seen what has happened to its sockets: the kernel wakes it within the call that makes it happen."""
        def sleep():
            stats = [Path(f"/proc/{self.pid}/task/{task}/stat").read_text() for task in os.listdir(f"/proc/{self.pid}/task")]
            return all(stat.rsplit(")", 1)[1].split()[0] == "S" for stat in stats if "(worker-" in stat)
        wait_for(sleep, "all workers sleep")

    def threads(self):
        """Includes the kernel's io_uring worker threads."""
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, seconds=10.0):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"penstock did not end within {seconds:g} s") from None

    def sessions_gone(self, seconds=10.0):
        """Requires that every session is closed: the process has no more sockets than right after its start."""
        wait_for(lambda: self.alive() and self.sockets() <= self.sockets_at_start or not self.alive(),
                 "all sessions are closed and their descriptors returned", seconds)
        self.require_alive()

    def stop(self, seconds=10.0):
        self.signal(signal.SIGTERM)
        status = self.wait_exit(seconds)
        require(status == 0, f"penstock ended with status {status} after TERM")

    def diagnosis(self):
        """Returns a diagnosis of a process that hangs or misbehaves."""
        lines = [f"-- penstock {self.pid}, last lines of its log:", *self.log().splitlines()[-25:]]
        if self.process.poll() is not None:
            return "\n".join([*lines, f"-- it ended with status {self.process.returncode}"])
        lines.append(f"-- {self.sockets()} sockets ({self.sockets_at_start} when ready), "
                     f"{self.pipe_ends()} pipe ends, {len(self.descriptors())} descriptors")
        for task in sorted(os.listdir(f"/proc/{self.pid}/task")):
            lines.append(self._task(f"/proc/{self.pid}/task/{task}"))
        return "\n".join(lines)

    @staticmethod
    def _task(folder):
        texts = []
        for name in ("comm", "wchan", "syscall", "stack"):
            try:
                texts.append(Path(folder, name).read_text().strip().replace("\n", " ")[:240])
            except OSError:
                texts.append("?")
        return f"   thread {texts[0]}: in {texts[1]}, syscall {texts[2]}, stack {texts[3]}"


class Rig:
    """Everything that one run of a case needs. `close` undoes all of it."""

    def __init__(self, penstock, bench, engine="auto", splice="auto"):
        self.penstock, self.bench = str(Path(penstock).resolve()), str(Path(bench).resolve())
        self.engine, self.splice = engine, splice
        self.folder = tempfile.mkdtemp(prefix="penstock-test-")
        os.chmod(self.folder, 0o755)
        self.ports = Ports()
        self.main = None          # the penstock that the epilogue checks
        self.started = []
        self.closables = []
        self.access_path = os.path.join(self.folder, "access.log")
        # With a sanitizer, memory figures include its shadow memory and quarantine, and say nothing about penstock.
        self.sanitized = any(mark in Path(self.penstock).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, user=None):
        """Returns the penstock to start: for another user, a copy, because that user may have no access to the build directory (/root)."""
        if user is None:
            return self.penstock
        copy = self.path("penstock")
        if not os.path.exists(copy):
            shutil.copyfile(self.penstock, copy)
            os.chmod(copy, 0o755)
        return copy

    def keep(self, thing):
        """Registers an object that close() closes, and returns it."""
        self.closables.append(thing)
        return thing

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        Path(path).write_text(text)
        os.chmod(path, mode)
        return path

    def ini(self, backends, binds, glob=None, listener=None, pool=None):
        """Writes a configuration with one listener and one pool. `backends` are (address, options), or just an address."""
        lines = ["[global]"]
        defaults = {"workers": 2, "engine": self.engine, "drain_timeout": "5s", "access_log": self.access_path, "admin": "off"}
        lines += [f"{key} = {value}" for key, value in {**defaults, **(glob or {})}.items() if value is not None]
        lines += ["", "[listener main]", "pool = main"]
        lines += [f"bind = {bind}" for bind in binds]
        lines += [f"{key} = {value}" for key, value in (listener or {}).items()]
        lines += ["", "[pool main]"]
        lines += [f"{key} = {value}" for key, value in {"check": "none", "splice": self.splice, **(pool or {})}.items() if value is not None]
        for number, backend in enumerate(backends):
            address, options = backend if isinstance(backend, tuple) else (backend, "")
            lines.append(f"backend = b{number} {address} {options}".rstrip())
        return self.write("penstock.ini", "\n".join(lines) + "\n")

    def launch(self, ini, ready=True, **options):
        """Starts `penstock run -c INI`. The epilogue checks the first one that was started."""
        os.chmod(self.folder, 0o777 if options.get("user") else 0o755)
        process = Penstock(self, ["run", "-c", ini], self.path(f"log.{len(self.started)}"), **options)
        self.started.append(process)
        self.main = self.main or process
        return process.wait_ready() if ready else process

    def access(self, count=None, seconds=5.0):
        """Returns the sessions of the access log as dicts, after waiting until there are `count` of them."""
        def lines():
            try:
                text = Path(self.access_path).read_text(errors="replace")
            except FileNotFoundError:
                text = ""
            complete = text.split("\n")[:-1]
            return [json.loads(line) if line.startswith("{") else dict(re.findall(r'(\w+)=("[^"]*"|\S*)', line)) for line in complete]
        if count is None:
            return lines()
        wait_for(lambda: len(lines()) >= count, f"{count} sessions are in the access log", seconds)
        return lines()

    def diagnosis(self):
        texts = [process.diagnosis() for process in self.started]
        ends = [f"{line.get('end')} {line.get('reason')}" for line in self.access()[-8:]]
        return "\n".join(texts + [f"-- last ends in the access log: {ends}"])

    def epilogue(self, stop_seconds=10.0):
        """Fails the case unless all sessions are closed, all descriptors are released, and TERM ends penstock with status 0."""
        for thing in reversed(self.closables):
            thing.close()
        self.closables = []
        if self.main and self.main.alive():
            self.main.sessions_gone()
            self.main.stop(stop_seconds)

    def sanitizer_report(self):
        for process in self.started:
            found = re.search(r"(ERROR: \w+Sanitizer|runtime error|Assertion .* failed)[^\n]*", process.log())
            if found:
                return found[0]
        return None

    def close(self):
        for thing in reversed(self.closables):
            try:
                thing.close()
            except OSError:
                pass
        for process in self.started:
            if process.alive():
                process.process.kill()
                process.process.wait()
        if not os.environ.get("KEEP"):  # KEEP=1 keeps logs and configuration for inspection
            subprocess.run(["rm", "-rf", self.folder], check=False)
