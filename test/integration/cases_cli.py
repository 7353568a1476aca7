"""The command line that talks to a running penstock: what it prints, and its exit status, which scripts rely on."""
import os
import pty
import re
import signal
import stat
import subprocess
import threading
from pathlib import Path

from admin import Administered, Load
from case import ENGINES, ONCE, Case
from peers import Caller
from rig import require, wait_for


class Running:
    """A subcommand that runs in the background."""

    def __init__(self, stage, *arguments):
        self.process = subprocess.Popen(stage.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def wait_line(self, pattern):
        wait_for(lambda: any(re.search(pattern, line) for line in self.lines), f"it prints /{pattern}/, and not {self.lines}")

    def end(self, status):
        """Waits for its end, requires this status, and returns standard error."""
        got = self.process.wait(20)
        self.reader.join(5)
        error = self.process.stderr.read()
        require(got == status, f"status {got} instead of {status}: {self.lines} {error}")
        return error

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def drain_script(rig, case):
    """The way of a deploy script: drain and wait, a long session ends, it is empty, switch off, put back. No other client notices."""
    stage = Administered(rig, case)
    long = rig.keep(Caller(stage.target, key="long"))
    long.call(1000)
    load = rig.keep(Load(stage.target))
    name = stage.get("/v1/sessions", sort="age", limit=1)["sessions"][0]["backend"]
    stage.cli("removable", f"main/{name}", status=1, says="may get new sessions")
    waiting = rig.keep(Running(stage, "drain", name, "--wait", "30s"))
    waiting.wait_line(rf"^main/{name}: state = drain$")
    waiting.wait_line(rf"^main/{name}: 1 session, \d+ s left$")
    stage.cli("removable", f"main/{name}", status=1, says="still 1 session")
    load.more()
    require(waiting.process.poll() is None, f"it ended although a session is open: {waiting.lines}")
    long.call(1000)
    long.close()
    waiting.end(0)
    require(waiting.lines[-1] == f"main/{name}: empty", f"{waiting.lines}")
    stage.cli("removable", f"main/{name}", says="removable: state drain, no sessions")
    total = stage.accepted(name)
    load.more()
    require(stage.accepted(name) == total, "a drained backend got a session")
    stage.cli("ready", name, says="state = ready")
    wait_for(lambda: stage.accepted(name) > total, "it gets sessions again")
    load.finish()


def drain_ends(rig, case):
    """drain --wait ends with 1 when the time is over or somebody puts the backend back, with 0 when it is gone, and with 3 when penstock is."""
    stage = Administered(rig, case)
    callers = [rig.keep(Caller(stage.target, key=key)) for key in range(2)]
    for caller in callers:
        caller.call(10)
    text = stage.cli("drain", "b0", "--wait", "300ms", status=1, says="still has 1 session")
    require("it stays in drain" in text, text)
    back = rig.keep(Running(stage, "drain", "b0", "--wait", "20s"))
    back.wait_line("1 session, ")
    stage.cli("ready", "b0")
    require("somebody has put it back" in back.end(1), "it does not say why it ended")
    gone = rig.keep(Running(stage, "drain", "b0", "--wait", "20s"))
    gone.wait_line("1 session, ")
    stage.cli("backend", "remove", "b0", says="main/b0: removed")
    stage.cli("removable", "main/b0", status=1, says="state leaving, and still 1 session")
    for caller in callers:
        caller.close()
    gone.end(0)
    require(gone.lines[-1] in ("main/b0: gone", "main/b0: empty"), f"{gone.lines}")
    stage.wait_backend("b0", lambda row: row is None, "it is gone")
    stage.cli("removable", "main/b0", says="there is no such backend")
    stage.cli("removable", "b0", status=1, says="no pool has a backend")
    stage.cli("removable", "mian/b0", status=1, says="did you mean \"main\"")
    last = rig.keep(Caller(stage.target, key="last"))
    last.call(10)
    lost = rig.keep(Running(stage, "drain", "b1", "--wait", "20s"))
    lost.wait_line("1 session, ")
    stage.penstock.signal(signal.SIGKILL)
    lost.end(3)
    stage.cli("status", status=3, says="nothing answers at")
    rig.main = None


def changes(rig, case):
    """weight, limit, maint, backend add and remove, kill, log-level, events and save, under load."""
    stage = Administered(rig, case)
    load = rig.keep(Load(stage.target))
    stage.cli("weight", "main/b1", "5", says="main/b1: weight = 5")
    stage.cli("limit", "b1", "40", says="max_connections = 40")
    row = stage.backend("b1")
    require((row["weight"], row["max_connections"]) == (5, 40), f"{row}")
    stage.cli("limit", "b1", "off", says="max_connections = off")
    require(stage.backend("b1")["max_connections"] == 0, "a limit is left")
    stage.cli("maint", "b1", says="state = maint")
    load.more()
    stage.cli("ready", "b1")
    stage.cli("drain", "b1", "--timeout", "45s", says="drain_timeout = 45s")
    require("drain_timeout=45s" in stage.get("/v1/config"), "the deadline is not in the configuration")
    stage.cli("ready", "b1", says="drain_timeout = default")
    require("drain_timeout=45s" not in stage.get("/v1/config"), "the deadline of the drain is not forgotten")
    address = f"127.0.0.1:{stage.backends[0].address[1]}"
    stage.cli("backend", "add", "main", "b.9_x-", address, "--weight", "3", "--backup", says="main/b.9_x-: added")
    require(stage.backend("b.9_x-")["backup"], "it is no backup")
    stage.cli("backend", "remove", "b.9_x-")
    load.more()
    load.finish()
    caller = rig.keep(Caller(stage.target))
    caller.call(10)
    number = stage.cli_json("sessions", "--backend", stage.get("/v1/sessions")["sessions"][0]["backend"])["sessions"][0]["id"]
    require(number in stage.cli("sessions"), "the session is not in the table")
    stage.cli("kill", number, says="1 session closed")
    require(caller.ended() == "reset", "not reset")
    stage.cli("kill", number, status=1, says=f"there is no session {number}")
    stage.cli("kill", "--pool", "main", "--older", "1h", says="0 sessions closed")
    stage.cli("log-level", "debug", says="log_level = debug")
    require(stage.get("/v1/status")["log_level"] == "debug", "the level is another")
    require("main/b1: " in stage.cli("events"), "the drain is not an event")


def refusals(rig, case):
    """Wrong usage has the status 2, what is refused 1 with the sentence of the server; each is one line that says what to write."""
    stage = Administered(rig, case)
    for status, says, *arguments in (
            (1, "did you mean \"main/b1\"", "weight", "main/b11", "2"), (1, "did you mean \"main\"", "drain", "mian/b0"),
            (1, "1 to 256", "weight", "b0", "0"), (1, "did you mean \"main\"", "status", "mainn"),
            (1, "did you mean \"main\"", "backend", "add", "mani", "x", "127.0.0.1:1"), (1, "b0", "backend", "add", "main", "b0", "127.0.0.1:1"),
            (1, "level must be one of", "log-level", "loud"), (1, "not the number of a session", "kill", "17"), (1, "clint", "sessions", "--client", "clint"),
            (1, "needs a unit", "kill", "--older", "5"), (1, "needs a unit", "drain", "b0", "--timeout", "5"), (1, "cannot create", "save", "/nowhere/x.ini"),
            (2, "too few arguments", "drain"), (2, "too few arguments", "weight", "b0"), (2, "not expected here", "ready", "b0", "b1"),
            (2, "did you mean --timeout", "drain", "b0", "--timeuot", "5s"), (2, "needs a unit", "drain", "b0", "--wait", "5"),
            (2, "needs a value", "drain", "b0", "--wait"), (2, "which sessions", "kill"), (2, "backend add", "backend", "ad"),
            (2, "--json", "sessions", "--tcp-info"), (2, "given twice", "status", "--json", "--json")):
        done = subprocess.run([rig.penstock, arguments[0], "-s", stage.socket, *arguments[1:]] if arguments[0] != "backend" else
                              [rig.penstock, *arguments[:2], "-s", stage.socket, *arguments[2:]], capture_output=True, text=True, timeout=30, check=False)
        require(done.returncode == status and says in done.stderr, f"{arguments}: status {done.returncode}, {done.stderr}, not {status} ...{says}...")
        require(len(done.stderr.splitlines()) == 1 and not done.stdout, f"{arguments}: not one line: {done.stdout}{done.stderr}")
    stage.cli("status", socket_path=rig.path("nothing.sock"), status=3, says="No such file")
    stage.cli("status", socket_path=rig.folder, status=3, says="nothing answers")
    for command in ("status", "sessions", "events", "removable", "drain", "ready", "maint", "weight", "limit", "backend", "kill", "log-level", "save"):
        done = subprocess.run([rig.penstock, command, "--help"], capture_output=True, text=True, timeout=30, check=False)
        require(done.returncode == 0 and done.stdout.startswith(f"usage: penstock {command}"), f"{command} --help: {done}")


def socket_is_found(rig, case):
    """-c FILE takes the admin socket from the configuration."""
    stage = Administered(rig, case)
    done = subprocess.run([rig.penstock, "status", "-c", stage.ini], capture_output=True, text=True, timeout=30, check=False)
    require(done.returncode == 0 and "main: 2 of 2 usable" in done.stdout, f"{done}")
    off = rig.write("off.ini", re.sub(r"(?m)^admin = .*$", "admin = off", Path(stage.ini).read_text()))
    done = subprocess.run([rig.penstock, "status", "-c", off], capture_output=True, text=True, timeout=30, check=False)
    require(done.returncode == 1 and "no admin socket" in done.stderr, f"{done}")
    done = subprocess.run([rig.penstock, "status", "-c", off, "-s", stage.socket], capture_output=True, text=True, timeout=30, check=False)
    require(done.returncode == 2, f"{done}")


LONG = "a-backend-with-a-very-long-name-that-ends-with-17"


def table(rig, case):
    """The table fits 80 columns, says why a backend is down, and has colours at a terminal only. --json is JSON everywhere."""
    stage = Administered(rig, case)
    load = rig.keep(Load(stage.target))
    stage.cli("backend", "add", "main", LONG, f"127.0.0.1:{rig.ports.free()}", "--max-connections", "10000", "--backup")
    stage.wait_backend(LONG, lambda row: row["state"] == "down" and row["reason"], "it is down, and why")
    load.more(50)
    text = stage.cli("status")
    require(all(len(line) <= 80 for line in text.splitlines()), f"wider than 80 columns:\n{text}")
    require("\033" not in text, "colours in a pipe")
    require(re.search(r"^penstock \S+: running, up \S+, pid \d+, (io_uring|epoll), 2 workers$", text, re.M), text)
    require(re.search(r"^main: 2 of 3 usable, .* sessions, least_conn, check tcp$", text, re.M), text)
    require(re.search(r"^  b0 +up +\d+ +\d+ +0 +[\d.]+m?s +[\d.]+m?s +\d+s$", text, re.M), text)
    require(re.search(r"^  a-backen\S*\.\.\S*with-17\* down +0/10000 .*\n      .*refused", text, re.M), text)
    require(text.rstrip().endswith("* backup"), text)
    reader, writer = pty.openpty()
    done = subprocess.run(stage.command("status", "main"), stdout=writer, env={**os.environ, "TERM": "xterm"}, timeout=30, check=False)
    os.close(writer)
    coloured = os.read(reader, 65536).decode()
    os.close(reader)
    require(done.returncode == 0 and "\033[31mdown" in coloured and "\033[32mup" in coloured, f"no colours: {coloured}")
    require("penstock " not in coloured, "a line about the process, although a pool was asked for")
    answer = stage.cli_json("status")
    require(answer["status"]["state"] == "running" and len(answer["pools"][0]["backends"]) == 3, f"{answer}")
    require(stage.cli_json("removable", "main/a\"b") == {"pool": "main", "backend": "a\"b", "removable": True, "sessions": 0, "state": None}, "not removable")
    for arguments in (("sessions",), ("sessions", "--flows"), ("events",), ("removable", "b0"), ("weight", "b0", "1"), ("kill", "--older", "1h"),
                      ("log-level", "info"), ("maint", "b0"), ("drain", "b0"), ("drain", "b0", "--wait", "10s"), ("ready", "b0"),
                      ("backend", "remove", LONG)):
        stage.cli_json(*arguments, status=1 if arguments[0] == "removable" else 0)
    load.finish()


def saves(rig, case):
    """save replaces the file as a whole, keeps its mode and a link to it, and leaves nothing behind."""
    stage = Administered(rig, case)
    stage.cli("weight", "b0", "8")
    target = rig.write("real.ini", "[old]\n", 0o600)
    link = rig.path("link.ini")
    os.symlink(target, link)
    before = set(os.listdir(rig.folder))
    stage.cli("save", link, says="written")
    text = Path(target).read_text()
    require("weight=8" in text and text == stage.cli("save"), "the file is another text than what is printed")
    require(os.path.islink(link) and stat.S_IMODE(os.stat(target).st_mode) == 0o600, "link or mode are lost")
    require(set(os.listdir(rig.folder)) == before, f"left behind: {set(os.listdir(rig.folder)) - before}")
    done = subprocess.run([rig.penstock, "check", "-c", link], capture_output=True, text=True, timeout=30, check=False)
    require(done.returncode == 0, f"check refuses what save wrote: {done.stderr}")


CASES = (
    Case("cli-drain-script", "drain --wait counts down while a long session lasts, and no client notices", body=drain_script, backends=("echo", "echo"),
         ways=ENGINES, seconds=60.0),
    Case("cli-drain-ends", "drain --wait ends with a status for every outcome", body=drain_ends, backends=("echo", "echo"),
         pool={"balance": "round_robin"}, ways=ENGINES, seconds=60.0),
    Case("cli-changes", "every change by the command line has its effect, and no client notices", body=changes, backends=("echo", "echo"),
         pool={"check": "tcp"}, ways=ENGINES, seconds=60.0),
    Case("cli-refusals", "wrong usage and refusals have their statuses and one line each", body=refusals, backends=("echo", "echo"), ways=ONCE, seconds=60.0),
    Case("cli-socket", "the admin socket is taken from a configuration file", body=socket_is_found, backends=("echo", "echo"), ways=ONCE),
    Case("cli-table", "status fits 80 columns, and --json is JSON everywhere", body=table, backends=("echo", "echo"),
         pool={"check": "tcp", "check_interval": "200ms"}, ways=ONCE, seconds=60.0),
    Case("cli-save", "save replaces a file as a whole", body=saves, backends=("echo", "echo"), ways=ONCE),
)
