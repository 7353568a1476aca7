"""Sessions and flows are listed and closed by an administrator, while others go on."""
import json
import resource
import subprocess
import threading
import time

from admin import Administered, Load
from case import ENGINES, ONCE, Case
from peers import Caller
from rig import Skip, require, wait_for
from udp_stage import UdpStage

MANY = 10000  # or as many as the limit on descriptors allows


def numbers(answer):
    return [row["id"] for row in answer["sessions"]]


def callers_of(stage, count, size=100):
    """Clients that have called once: number 0 with `size` bytes, number 1 with twice as many, and so on."""
    callers = [stage.rig.keep(Caller(stage.target, key=key)) for key in range(count)]
    for key, caller in enumerate(callers):
        caller.call(size * (key + 1))
    return callers


def client_of(caller):
    host, port = caller.sock.getsockname()[:2]
    return f"{host}:{port}"


def row_of(stage, caller):
    """The row of the session of this client."""
    rows = [row for row in stage.get("/v1/sessions", limit=1000)["sessions"] if row["client"] == client_of(caller)]
    require(len(rows) == 1, f"{len(rows)} rows for {client_of(caller)}")
    return rows[0]


def listed(rig, case):
    """Lists have the sessions that match, in the order that was asked for, while other sessions come and go."""
    stage = Administered(rig, case)
    callers = callers_of(stage, 5)
    load = rig.keep(Load(stage.target))
    load.more()
    every = {row["client"]: row for row in stage.get("/v1/sessions", limit=1000, tcp_info=1)["sessions"]}
    for key, caller in enumerate(callers):
        row = every[client_of(caller)]
        require(row["bytes_in"] == row["bytes_out"] == 100 * (key + 1), f"bytes: {row}")
        require(row["state"] == "RELAYING" and row["listener"] and row["pool"] == "main" and row["backend"] in ("b0", "b1"), f"row: {row}")
        require(row["client_tcp"]["rtt_ms"] > 0 and row["backend_tcp"]["rtt_ms"] > 0, f"round-trip times: {row}")
        require(0 <= row["connect_ms"] <= row["age_ms"] and row["idle_ms"] <= row["age_ms"], f"times: {row}")
    ours = [every[client_of(caller)]["id"] for caller in callers]
    oldest = numbers(stage.get("/v1/sessions", limit=5))
    require(sorted(oldest) == sorted(ours), f"the five oldest sessions: {oldest}")
    for row in stage.get("/v1/sessions", backend="b1", limit=1000)["sessions"]:
        require(row["backend"] == "b1", f"asked for b1: {row}")
    ages = [row["age_ms"] for row in stage.get("/v1/sessions", limit=1000)["sessions"]]
    require(ages == sorted(ages, reverse=True), f"not in the order of their age: {ages}")
    wait_for(lambda: numbers(stage.get("/v1/sessions", older="1s")) == oldest, "only the five are older than a second")
    require(numbers(stage.get("/v1/sessions", older="1s", sort="bytes")) == ours[::-1], "not in the order of their bytes")
    limited = stage.get("/v1/sessions", older="1s", limit=2)
    require(limited["matched"] == 5 and numbers(limited) == oldest[:2] and limited["late_workers"] == 0, f"two of five: {limited}")
    require(stage.get("/v1/sessions", client="127.0.0.0/8", older="1s")["matched"] == 5, "clients of 127.0.0.0/8")
    require(stage.get("/v1/sessions", client="10.0.0.0/8")["matched"] == 0, "clients of 10.0.0.0/8")
    load.finish()
    for caller in callers:
        caller.call(10)


def killed_by_number(rig, case):
    """One session is closed by its number: its client is reset, its log line says why, and the others do not notice."""
    stage = Administered(rig, case)
    callers = callers_of(stage, 4)
    load = rig.keep(Load(stage.target))
    load.more()
    number = row_of(stage, callers[1])["id"]
    require(stage.done("DELETE", f"/v1/sessions/{number}") == {"closed": 1}, "not one session was closed")
    require(callers[1].ended() == "reset", "FIN, although nothing had ended")
    stage.refused("DELETE", f"/v1/sessions/{number}", None, 404, number)
    load.more()
    load.finish()
    for key in (0, 2, 3):
        callers[key].call(1000)
    line = wait_for(lambda: next((row for row in rig.access() if row["session"] == number), None), "its line is in the access log")
    require(line["end"] == "KD" and "closed by the administrator" in line["reason"], f"access log: {line}")


def killed_by_backend(rig, case):
    """All sessions with one backend are closed. Those with the other one go on, and the backend is not blamed."""
    stage = Administered(rig, case)
    callers = callers_of(stage, 12)
    of_b0 = [caller for caller in callers if row_of(stage, caller)["backend"] == "b0"]
    require(0 < len(of_b0) < 12, f"{len(of_b0)} of 12 sessions are with b0")
    require(stage.done("DELETE", "/v1/sessions", backend="b0")["closed"] == len(of_b0), "not all sessions with b0 were closed")
    for caller in callers:
        if caller in of_b0:
            caller.ended()
        else:
            caller.call(1000)
    wait_for(lambda: stage.backend("b0")["sessions"] == 0, "b0 has no session")
    b0 = stage.backend("b0")
    require(b0["serves"] and b0["ejections"] == b0["failed_total"] == 0, f"b0: {b0}")
    after = rig.keep(Caller(stage.target, key="after"))
    after.call()


def killed_by_age(rig, case):
    """Only the sessions that are older than asked for are closed; a query without a filter is refused."""
    stage = Administered(rig, case)
    old = callers_of(stage, 3)
    wait_for(lambda: stage.get("/v1/sessions", older="1s")["matched"] == 3, "three sessions are older than a second")
    young = [rig.keep(Caller(stage.target, key=f"young{key}")) for key in range(3)]
    for caller in young:
        caller.call()
    stage.refused("DELETE", "/v1/sessions", None, 400, "at least one")
    require(stage.done("DELETE", "/v1/sessions", older="1s")["closed"] == 3, "not the three old sessions")
    for caller in old:
        caller.ended()
    for caller in young:
        caller.call()


class Pulse:
    """A client that calls all the time and notes the longest call."""

    def __init__(self, target):
        self.caller, self.longest, self.error, self.stopping = Caller(target, key="pulse"), 0.0, None, threading.Event()
        self.calls = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                self.caller.call()
                self.longest = max(self.longest, time.monotonic() - began)
                self.calls += 1
        except Exception as error:
            self.error = repr(error)

    def close(self):
        self.stopping.set()
        self.thread.join(15)
        self.caller.close()


def many(rig, case):
    """10,000 sessions are listed again and again, and then closed, while another client is served as if nothing happened."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(MANY, (limit - 1000) // 2)
    if count < 1000:
        raise Skip(f"only {limit} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    case.glob["max_connections"] = str(count + 10)
    stage = Administered(rig, case)
    crowd = [rig.keep(Caller(stage.target, key=key)) for key in range(count)]
    wait_for(lambda: stage.get("/v1/sessions")["matched"] == count, "all sessions exist", 30)
    pulse = rig.keep(Pulse(stage.target))
    for order in ("age", "idle", "bytes") * 5:
        calls = pulse.calls
        answer = stage.get("/v1/sessions", limit=1000, sort=order, tcp_info=1)
        require(answer["matched"] >= count and len(answer["sessions"]) == 1000 and answer["late_workers"] == 0, f"{answer['matched']} sessions")
        require(len(set(numbers(answer))) == 1000, "a session is in the list twice")
        wait_for(lambda before=calls: pulse.calls > before or pulse.error, "the other client is served")
    others = [client_of(caller) for caller in crowd[:3]]
    for client in others:
        require(stage.done("DELETE", "/v1/sessions", client=client)["closed"] == 1, f"the session of {client} was not closed")
    require(not pulse.error and pulse.longest < 0.5, f"the other client: {pulse.error}, its longest call took {pulse.longest:.3f} s")
    pulse.close()
    wait_for(lambda: stage.get("/v1/sessions")["matched"] == count - 3, "the other client has left")
    require(stage.done("DELETE", "/v1/sessions", pool="main")["closed"] == count - 3, "not all were closed")
    wait_for(lambda: stage.get("/v1/sessions")["matched"] == 0, "no session is left", 20)


def flows_listed(rig, case):
    """UDP flows are listed with their datagrams."""
    path = rig.path("admin.sock")
    case.glob["admin"] = f"unix:{path}"
    stage = UdpStage(rig, case)
    for client in stage.several(5):
        client.asked()
        client.asked()
    done = subprocess.run([rig.penstock, "sessions", "--flows", "--json", "-s", path], capture_output=True, text=True, timeout=30, check=True)
    answer = json.loads(done.stdout)
    require(answer["matched"] == 5 and len(answer["flows"]) == 5, f"flows: {answer}")
    for row in answer["flows"]:
        require(row["datagrams_in"] == row["datagrams_out"] == 2 and row["bytes_in"] > 0 and row["state"] == "BOUND", f"flow: {row}")


CASES = [
    Case("sessions-listed", listed.__doc__, body=listed, backends=("echo", "echo"), ways=ENGINES, glob={"workers": "2"}),
    Case("session-killed", killed_by_number.__doc__, body=killed_by_number, backends=("echo",), ways=ENGINES, glob={"workers": "2"}),
    Case("sessions-killed-by-backend", killed_by_backend.__doc__, body=killed_by_backend, backends=("echo", "echo"), ways=ENGINES, glob={"workers": "2"}),
    Case("sessions-killed-by-age", killed_by_age.__doc__, body=killed_by_age, backends=("echo",), ways=ENGINES, glob={"workers": "2"}),
    Case("sessions-many", many.__doc__, body=many, backends=("echo",), ways=ENGINES, glob={"workers": "2"}, seconds=90),
    Case("flows-listed", flows_listed.__doc__, body=flows_listed, ways=ONCE),
]
