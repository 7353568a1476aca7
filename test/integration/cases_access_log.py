"""The access log: its fields, which sessions have lines, and the targets: files, pipes, sockets, syslog and the journal."""
import contextlib
import json
import os
import re
import select
import signal
import socket
import threading
import time
from pathlib import Path

import needs
from admin import Administered
from backends import Backend
from case import EACH, ENGINES, ONCE, Case, Stage
from peers import Caller, reset
from rig import require, wait_for
from udp_stage import UdpStage

JSON = {"access_log_format": "json"}


def json_lines(path):
    """Returns the objects of the complete lines. Fails if one is torn."""
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]


def rows(rig, count):
    return wait_for(lambda: len(json_lines(rig.access_path)) >= count and json_lines(rig.access_path), f"{count} lines are in the access log")


def call_many(target, count, threads=4):
    """Makes so many sessions, each with a call of 100 bytes."""
    def work(share):
        for _ in range(share):
            caller = Caller(target)
            caller.call(100)
            caller.close()
    workers = [threading.Thread(target=work, args=(count // threads,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def every_field(rig, case):
    """A session has all its values: times in their order, bytes of each way, retries after a refusal, how it was relayed, and both round-trip times."""
    stage = Stage(rig, case)
    caller = Caller(stage.target)
    time.sleep(0.2)  # the client is slow, not the backend
    caller.call(12345)
    local = caller.sock.getsockname()
    caller.close()
    row = rows(rig, 1)[0]
    relay = "splice" if rig.splice == "always" else "copy"
    due = {"event": "end", "client": f"{local[0]}:{local[1]}", "listener": "main", "pool": "main", "backend": "b1", "addr": "127.0.0.1:%d" % stage.backends[1].address[1],
           "bytes_in": 12345, "bytes_out": 12345, "tries": 2, "replayed": 0, "relay_in": relay, "relay_out": relay, "client_retransmits": 0,
           "backend_retransmits": 0, "end": "--", "reason": "both sides closed"}
    wrong = {key: row.get(key) for key, value in due.items() if row.get(key) != value}
    require(not wrong, f"fields are off: {wrong} in {row}")
    require(0 < row["connect_ms"] < 150 and 190 <= row["first_byte_ms"] < 1000, f"times: {row}")
    require(row["connect_ms"] + row["first_byte_ms"] <= row["duration_ms"] < 1000, f"times: {row}")
    require(0 < row["client_rtt_ms"] < 100 and 0 < row["backend_rtt_ms"] < 100, f"round-trip times: {row}")
    require(row["session"] == f"{row['worker']}.1" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["time"]), f"number or time: {row}")


ENDS = """[global]
workers = 1
engine = {engine}
access_log = {access}
access_log_format = json
access_log_sample = 0%
access_log_tcp_info = yes
[defaults]
check = none
retries = 0
splice = {splice}
first_byte_timeout = 300ms
"""


def every_end(rig, case):
    """One line says why a session ended. Although none is sampled, each that did not end normally has its line."""
    kinds = {"echo": "CD", "reset": "SD", "sink": "sH", "refuses": "SC"}
    ports = {kind: rig.ports.free() for kind in kinds}
    text = ENDS.format(engine=rig.engine, access=rig.access_path, splice=rig.splice)
    for kind, port in ports.items():
        address = ("127.0.0.1", rig.ports.free())
        if kind != "refuses":
            rig.keep(Backend(address, mode=kind))
        text += f"[listener {kind}]\nbind = 127.0.0.1:{port}\npool = {kind}\n[pool {kind}]\nbackend = of-{kind} 127.0.0.1:{address[1]}\n"
    rig.launch(rig.write("ends.ini", text))
    caller = Caller(("127.0.0.1", ports["echo"]))
    caller.call(10)
    caller.close()  # normally: no line
    caller = Caller(("127.0.0.1", ports["echo"]))
    caller.call(10)
    reset(caller.sock)
    for kind in ("reset", "sink", "refuses"):
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):  # it may come at any time
            caller = rig.keep(Caller(("127.0.0.1", ports[kind])))
            caller.sock.sendall(b"hello")
            require(caller.ended() == "reset", f"{kind}: no reset")
    found = {row["listener"]: row for row in rows(rig, len(kinds))}
    require({kind: found[kind]["end"] for kind in kinds} == kinds, f"ends: {found}")
    require(len(json_lines(rig.access_path)) == len(kinds), "a session that ended normally has a line, although none is sampled")
    require(found["sink"]["first_byte_ms"] is None and 290 <= found["sink"]["duration_ms"] < 900 and found["sink"]["bytes_in"] == 5, f"sink: {found['sink']}")
    require(found["refuses"]["connect_ms"] is None and found["refuses"]["backend"] == "of-refuses" and found["refuses"]["backend_rtt_ms"] is None,
            f"refuses: {found['refuses']}")


def sampling(rig, case):
    """access_log_sample = 50%: about half of the sessions have lines, and a session has all of its lines or none."""
    stage = Stage(rig, case)
    call_many(stage.target, 400)
    stage.penstock.stop()
    events = {}
    for row in json_lines(rig.access_path):
        events.setdefault(row["session"], []).append(row["event"])
    require(120 < len(events) < 280, f"{len(events)} of 400 sessions have lines")
    require(all(seen == ["open", "end"] for seen in events.values()), f"events: {events}")


def long_sessions(rig, case):
    """access_log_open and access_log_every: a line at the beginning, one for each second, and one at the end, with what had been relayed until then."""
    stage = Stage(rig, case)
    caller = Caller(stage.target)
    caller.call(100)
    found = rows(rig, 2)
    caller.call(200)
    found = rows(rig, 3)
    caller.close()
    found = rows(rig, 4)
    require([row["event"] for row in found] == ["open", "alive", "alive", "end"] and len({row["session"] for row in found}) == 1, f"lines: {found}")
    require([row["bytes_in"] for row in found] == [0, 100, 300, 300], f"bytes: {found}")
    require("end" not in found[1] and found[3]["end"] == "--" and found[0]["backend"] == "b0", f"ends: {found}")
    require(1000 <= found[1]["duration_ms"] < 1900 and 2000 <= found[2]["duration_ms"] < 2900, f"times: {found}")


def long_flows(rig, case):
    """The same for a UDP flow."""
    stage = UdpStage(rig, case)
    client = stage.client()
    client.ask(b"once")
    found = rows(rig, 2)
    require([row["event"] for row in found[:2]] == ["open", "alive"] and found[1]["bytes_in"] == 4 and found[1]["datagrams_out"] == 1, f"lines: {found}")
    client.close()
    found = rows(rig, 3)
    require(found[-1]["event"] == "end" and found[-1]["flow"] == found[0]["flow"], f"lines: {found}")


def json_under_churn(rig, case):
    """Thousands of sessions while the file is rotated twice: each has one line, all lines are whole, and none is lost."""
    stage = Stage(rig, case)
    total, old = 4000, [f"{rig.access_path}.{number}" for number in range(2)]
    churn = threading.Thread(target=call_many, args=(stage.target, total))
    churn.start()
    for name in old:
        wait_for(lambda: len(json_lines(rig.access_path)) > 500, "there are lines to rotate")
        os.rename(rig.access_path, name)
        stage.penstock.signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(rig.access_path), "the file was reopened")
    churn.join()
    stage.penstock.stop()
    numbers = [row["session"] for path in (*old, rig.access_path) for row in json_lines(path)]
    require(len(numbers) == len(set(numbers)) == total, f"{len(numbers)} lines, {len(set(numbers))} sessions, due {total}")
    require("could not be written" not in stage.penstock.log(), "the log says that lines were lost")


class Reader:
    """The reading end of a pipe or stream socket that is penstock's standard output. Reads only when it is asked."""

    def __init__(self, rig, kind):
        if kind == "pipe":
            self.fd, self.theirs = os.pipe()
        else:
            self.ends = socket.socketpair()
            self.fd, self.theirs = self.ends[0].fileno(), self.ends[1].detach()
        self.text = b""

    def launched(self):
        os.close(self.theirs)

    def lines(self):
        while select.select([self.fd], [], [], 0)[0]:
            got = os.read(self.fd, 1 << 16)
            if not got:
                break
            self.text += got
        return [json.loads(line) for line in self.text.split(b"\n")[:-1]]


def standard_output(rig, case):
    """access_log = stdout works if that is a pipe or a socket, with the rights of another user, and with the log in the same place."""
    needs.root()
    for kind in ("pipe", "socket"):
        reader = Reader(rig, kind)
        port = rig.ports.free()
        rig.keep(backend := Backend(("127.0.0.1", rig.ports.free())))
        glob = {"access_log": "stdout", "log": "stdout", "log_format": "json", "user": "nobody", **JSON}
        penstock = rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{port}"], glob), ready=False, stdout=reader.theirs)
        reader.launched()
        wait_for(lambda: any("ready" in line.get("message", "") for line in reader.lines()), "the log says that it is ready")
        call_many(("127.0.0.1", port), 200)
        wait_for(lambda: sum(line.get("end") == "--" for line in reader.lines()) == 200, "200 sessions are in the log")
        penstock.stop()
        require(any(line.get("message") == "stopped" for line in reader.lines()), f"{kind}: the end is missing")


def nobody_reads(rig, case):
    """Nobody reads the pipe of the access log: sessions are served as usual, lines beyond a bound are dropped and counted, and the log says how many as
    soon as it can."""
    if "user" in case.glob:  # then the pipe cannot be opened again without blocking
        needs.root()
    reader = Reader(rig, "pipe")
    stage = Administered(rig, case, stdout=reader.theirs)
    reader.launched()
    total = 3000
    call_many(stage.target, total)  # the pipe and the buffer have space for some 500 lines
    slowest = 0
    caller = rig.keep(Caller(stage.target))
    for _ in range(200):
        began = time.monotonic()
        caller.call(100)
        slowest = max(slowest, time.monotonic() - began)
    require(slowest < 0.5, f"a call took {slowest:.3f} s")
    stage.penstock.signal(signal.SIGCONT)
    stage.penstock.wait_log("CONT: resumed")  # the other log is not held up
    wait_for(lambda: stage.get("/v1/status")["access_log_lines_dropped"] > 0, "the API says that lines are lost")
    memory = stage.penstock.rss_kb()
    call_many(stage.target, total)
    require(rig.sanitized or stage.penstock.rss_kb() < memory + 4096, f"memory grew from {memory} to {stage.penstock.rss_kb()} KiB")
    wait_for(lambda: reader.lines() and stage.penstock.logged(r"warn +\d+ access log lines could not be written"), "the log says how many lines were lost")

    def accounted():
        return len(reader.lines()) + sum(int(count) for count in re.findall(r"(\d+) access log lines could not", stage.penstock.log()))
    wait_for(lambda: accounted() == 2 * total, f"lines and losses are {2 * total} sessions")
    wait_for(lambda: stage.get("/v1/status")["access_log_lines_dropped"] == 2 * total - len(reader.lines()), "the API has the number of lost lines")
    caller.close()
    wait_for(lambda: accounted() == 2 * total + 1 and reader.lines()[-1]["end"] == "--", "the next session is in the log again")


class Daemon:
    """The socket of a log daemon, which penstock sees at /dev/log or /run/systemd/journal/socket."""

    def __init__(self, rig, path):
        self.path = rig.path(path)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        os.chmod(rig.folder, 0o755)
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self.sock.setblocking(False)
        self.texts = []

    def close(self):
        self.sock.close()

    def received(self):
        while True:
            try:
                self.texts.append(self.sock.recv(1 << 16).decode())
            except BlockingIOError:
                return self.texts


def to_syslog(rig, case):
    """access_log = syslog:local0 sends what syslog(3) would. After the daemon has restarted, lines arrive again, and the lost ones are counted."""
    needs.root()
    daemon = rig.keep(Daemon(rig, "dev/log"))
    stage = Stage(rig, case, dev=os.path.dirname(daemon.path))
    call_many(stage.target, 100)
    wait_for(lambda: len(daemon.received()) == 100, "100 sessions have come")
    line = rf"<134>\w{{3}} [ \d]\d \d\d:\d\d:\d\d penstock\[{stage.penstock.pid}\]: session=\d\.\d+ event=end client=\S+ .* end=-- reason=\"both sides closed\""
    require(all(re.fullmatch(line, text) for text in daemon.received()), f"a datagram is off: {daemon.received()[0]}")
    daemon.close()
    call_many(stage.target, 20)
    stage.penstock.sessions_gone()
    wait_for(lambda: "lines could not be written" in stage.penstock.log(), "the log says that lines were lost")
    daemon.start()
    call_many(stage.target, 20)
    wait_for(lambda: len(daemon.received()) >= 20, "lines come again")


def to_journal(rig, case):
    """access_log = journal sends each field as one of the journal, and log = journal the level as PRIORITY."""
    needs.root()
    daemon = rig.keep(Daemon(rig, "run/systemd/journal/socket"))
    stage = Stage(rig, case, start=False)
    stage.penstock = rig.launch(stage.ini, ready=False, run=rig.path("run"))
    wait_for(lambda: any("MESSAGE=ready" in text for text in daemon.received()), "the journal has the start")
    call_many(stage.target, 4)

    def sessions():
        return [dict(line.split("=", 1) for line in text.splitlines()) for text in daemon.received() if "PENSTOCK_SESSION" in text]
    wait_for(lambda: len(sessions()) == 4, "4 sessions have come")
    entry = sessions()[0]
    require(entry["PENSTOCK_BACKEND"] == "b0" and entry["PENSTOCK_BYTES_IN"] == "100" and entry["PENSTOCK_END"] == "--", f"fields: {entry}")
    require(entry["MESSAGE"].startswith(f"session={entry['PENSTOCK_SESSION']} event=end ") and entry["SYSLOG_IDENTIFIER"] == "penstock", f"message: {entry}")
    require(any("PRIORITY=6\nMESSAGE=ready: penstock" in text for text in daemon.received()), "the log's own lines have no level")
    stage.penstock.stop()


def no_daemon(rig, case):
    """Without the daemon, the start is refused, and the message says what is missing."""
    needs.root()
    os.makedirs(rig.path("empty"))
    for target, path in (("syslog", "/dev/log"), ("journal", "/run/systemd/journal/socket")):
        ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"log": target, "access_log": None})
        penstock = rig.launch(ini, ready=False, run=rig.path("empty"), dev=rig.path("empty"))
        require(penstock.wait_exit() == 1, "it has started")
        require(penstock.logged(rf"error: log = {target}: cannot be written: .*; .* must listen on {path}"), f"it says {penstock.log()}")


CASES = (
    Case("access-log-every-field", every_field.__doc__, body=every_field, backends=("dead", "echo"), ways=EACH, pool={"balance": "round_robin"},
         glob={"workers": 1, "access_log_tcp_info": "yes", **JSON}),
    Case("access-log-every-end", every_end.__doc__, body=every_end, ways=EACH),
    Case("access-log-sample", sampling.__doc__, body=sampling, backends=("echo",), ways=ONCE,
         glob={"access_log_sample": "50%", "access_log_open": "yes", **JSON}),
    Case("access-log-long-sessions", long_sessions.__doc__, body=long_sessions, backends=("echo",), ways=ENGINES,
         glob={"access_log_open": "yes", "access_log_every": "1s", **JSON}),
    Case("access-log-long-flows", long_flows.__doc__, body=long_flows, ways=ENGINES, pool={"udp_idle_timeout": "1500ms"},
         glob={"access_log_open": "yes", "access_log_every": "1s", **JSON}),
    Case("access-log-json-under-churn", json_under_churn.__doc__, body=json_under_churn, backends=("echo",), ways=ENGINES, glob=JSON, seconds=60.0),
    Case("access-log-to-stdout", standard_output.__doc__, body=standard_output, ways=ENGINES),
    Case("access-log-nobody-reads", nobody_reads.__doc__, body=nobody_reads, backends=("echo",), ways=ENGINES, glob={"access_log": "stdout", **JSON}, seconds=60.0),
    Case("access-log-nobody-reads-as-another-user", nobody_reads.__doc__, body=nobody_reads, backends=("echo",), ways=ONCE, seconds=60.0,
         glob={"access_log": "stdout", "user": "nobody", **JSON}),
    Case("access-log-to-syslog", to_syslog.__doc__, body=to_syslog, backends=("echo",), ways=ENGINES, glob={"access_log": "syslog:local0"}),
    Case("access-log-to-journal", to_journal.__doc__, body=to_journal, backends=("echo",), ways=ENGINES, glob={"access_log": "journal", "log": "journal"}),
    Case("log-daemon-missing", no_daemon.__doc__, body=no_daemon, ways=ONCE),
)
