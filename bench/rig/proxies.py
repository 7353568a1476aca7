"""The proxies that are compared: Penstock, HAProxy and nginx stream, each on one CPU, set up as its documentation recommends for the case."""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROXY_CPU, LOAD_CPU = 0, 1


class Unavailable(Exception):
    """A contender that is not installed."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(address, process, netns=None, seconds=5, udp=False):
    """Until somebody listens there, as `ss` sees it from inside the namespace: a connection would count as work."""
    command = ["ss", "-lunH" if udp else "-ltnH", f"sport = :{address[1]}"]
    if netns:
        command = ["ip", "netns", "exec", netns, *command]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"ended with status {process.returncode}")
        if subprocess.run(command, capture_output=True, check=False).stdout:
            return
        time.sleep(0.02)
    raise RuntimeError(f"does not listen at {address[0]}:{address[1]}")


class Settings:
    """What a row asks of every proxy."""

    def __init__(self, backends, listen=("127.0.0.1", None), bulk=False, workers=1, engine="auto", busy_poll=False, connections=9000,
                 balance="least_conn", netns=None, access_log=False, pool=(), udp=False, probed=(), http=None):
        self.backends = backends          # [(host, port)]
        self.host, self.port = listen[0], listen[1] or free_port()
        self.bulk = bulk                  # HAProxy: splice forced
        self.workers = workers
        self.engine = engine
        self.busy_poll = busy_poll
        self.connections = connections
        self.balance = balance
        self.netns = netns                # name of the namespace the proxy runs in
        self.access_log = access_log      # Penstock: a line for each session
        self.pool = pool                  # Penstock: further lines of the pool
        self.udp = udp                    # datagrams instead of connections
        self.probed = probed              # Penstock: [(host, port)] of backends that are probed every second, in a pool of their own without traffic
        self.http = http                  # Penstock: port at which it serves metrics

    def target(self):
        """Where clients connect to."""
        return ("127.0.0.1" if self.host == "0.0.0.0" else self.host, self.port)


PENSTOCK = """[global]
workers = {workers}
engine = {engine}
cpu_affinity = {affinity}
{busy}
{http}
log = {log}
access_log = {access_log}
[listener bench]
bind = {host}:{port}
protocol = {protocol}
pool = bench
[pool bench]
balance = {balance}
check = none
{extra}
{backends}
"""

PROBED = """[pool probed]
check = tcp
check_interval = 1s
{backends}
"""

HAPROXY = """global
  nbthread {workers}
  maxconn {connections}
  maxpipes 500
{busy}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option splice-auto
{splice}
frontend bench
  bind {host}:{port} backlog 4096
  default_backend bench
backend bench
  balance leastconn
{backends}
"""

NGINX = """load_module modules/ngx_stream_module.so;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
events {{ worker_connections 19000; }}
stream {{
  upstream bench {{ least_conn; {backends} }}
  server {{ listen {host}:{port} {listen}; proxy_pass bench; proxy_timeout 1h; {options} }}
}}
"""


def backend_lines(backends):
    return "\n".join(f"backend = b{i} {host}:{port}" for i, (host, port) in enumerate(backends))


def penstock_files(settings, folder, programs):
    cpus = "auto" if settings.workers > 1 else str(PROXY_CPU)
    text = PENSTOCK.format(workers=settings.workers, engine=settings.engine, affinity=cpus, log=folder / "log", host=settings.host, port=settings.port,
                           balance=settings.balance, protocol="udp" if settings.udp else "tcp",
                           busy="busy_poll = auto" if settings.busy_poll else "",
                           http=f"http = 127.0.0.1:{settings.http}" if settings.http else "", extra="\n".join(settings.pool),
                           access_log=folder / "access" if settings.access_log else "off",
                           backends=backend_lines(settings.backends))
    if settings.probed:
        text += PROBED.format(backends=backend_lines(settings.probed))
    (folder / "penstock.ini").write_text(text)
    return [str(programs / "penstock"), "run", "-c", str(folder / "penstock.ini")]


def haproxy_files(settings, folder, _):
    text = HAPROXY.format(workers=settings.workers, connections=settings.connections, host=settings.host, port=settings.port,
                          busy="  busy-polling" if settings.busy_poll else "",
                          splice="  option splice-request\n  option splice-response" if settings.bulk else "",
                          backends="\n".join(f"  server b{i} {host}:{port}" for i, (host, port) in enumerate(settings.backends)))
    (folder / "haproxy.cfg").write_text(text)
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


def nginx_files(settings, folder, _):
    reuse = "reuseport" if settings.workers > 1 else ""
    text = NGINX.format(workers=settings.workers, folder=folder, host=settings.host, port=settings.port,
                        listen=f"udp {reuse}" if settings.udp else f"{reuse} backlog=4096",
                        options="" if settings.udp else "tcp_nodelay on; proxy_half_close on;",
                        backends=" ".join(f"server {host}:{port};" for host, port in settings.backends))
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]


KINDS = {"penstock": penstock_files, "haproxy": haproxy_files, "nginx": nginx_files}
VERSIONS = {"penstock": lambda programs: [str(programs / "penstock"), "version"], "haproxy": lambda _: ["haproxy", "-v"], "nginx": lambda _: ["nginx", "-v"]}


def add_penstock(kind, folder):
    """Another build as a contender of its own."""
    KINDS[kind] = lambda settings, temporary, _: penstock_files(settings, temporary, folder)
    VERSIONS[kind] = lambda _: [str(folder / "penstock"), "version"]


def version(kind, programs):
    command = VERSIONS[kind](programs)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unavailable(f"{kind} is not installed: make deps-bench") from None
    return re.split(r" - |\n", (done.stdout + done.stderr).strip())[0]


class Proxy:
    """A running proxy, pinned to the proxy's CPU unless it has several workers."""

    def __init__(self, kind, settings, programs):
        self.kind, self.settings = kind, settings
        self.temporary = tempfile.TemporaryDirectory()
        command = KINDS[kind](settings, Path(self.temporary.name), programs)
        if settings.workers == 1:
            command = ["taskset", "-c", str(PROXY_CPU), *command]
        if settings.netns:
            command = ["ip", "netns", "exec", settings.netns, *command]
        said = Path(self.temporary.name) / "said"
        with open(said, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_for_port((settings.host, settings.port), self.process, settings.netns, udp=settings.udp)
        except RuntimeError as error:
            raise RuntimeError(f"{kind}: {error}: {said.read_text(encoding='utf-8').strip()}") from None

    def pids(self):
        pids, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            pids.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                todo += [int(child) for child in children.read_text().split()]
        return pids

    def sockets(self):
        count = 0
        for pid in self.pids():
            for name in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    count += os.readlink(name).startswith("socket:")
                except FileNotFoundError:
                    pass
        return count

    def wait_for_sockets(self, count, seconds=20):
        end = time.monotonic() + seconds
        while self.sockets() < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.kind} has only {self.sockets()} sockets of {count}")
            time.sleep(0.05)

    def sessions_per_worker(self, count, seconds=5):
        """Of Penstock, from its access log, once `count` sessions have ended."""
        end, workers = time.monotonic() + seconds, []
        while len(workers) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{len(workers)} sessions have ended, not {count}")
            workers = re.findall(r"\bworker=(\d+)", (Path(self.temporary.name) / "access").read_text(encoding="utf-8"))
            time.sleep(0.02)
        return [workers.count(str(index)) for index in range(self.settings.workers)]

    def cpu_s(self, thread=None):
        """CPU seconds of all its threads so far, or of the one with this name, by the scheduler's own accounting."""
        total = 0
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                if thread in (None, (task / "comm").read_text().strip()):
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def anonymous_bytes(self):
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Anonymous:"):
                    total += int(line.split()[1]) * 1024
        return total

    def stop(self):
        for pid in self.pids() if self.kind == "nginx" else [self.process.pid]:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.temporary.cleanup()
