"""A penstock that is administered: its admin socket, the command line, and clients that must not notice any of it."""
import contextlib
import http.client
import json
import socket
import subprocess
import threading
import urllib.parse

from case import Stage
from peers import Caller
from rig import require, wait_for


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, seconds=20.0):
        super().__init__("penstock", timeout=seconds)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Administered(Stage):
    """The stage of a case with an admin socket."""

    def __init__(self, rig, case, **launch):
        self.socket = rig.path("admin.sock")
        case.glob["admin"] = f"unix:{self.socket}"
        super().__init__(rig, case, **launch)

    def call(self, method, path, body=None, **query):
        """Returns the status and the answer: an object of JSON, or text. `body` is sent as JSON unless it is bytes."""
        client = UnixConnection(self.socket)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            with contextlib.suppress(BrokenPipeError):  # a request can be refused before its body was read
                client.request(method, f"{path}?{urllib.parse.urlencode(query)}" if query else path, data)
            answer = client.getresponse()
            text = answer.read().decode()
            is_json = answer.getheader("Content-Type", "").startswith("application/json")
            return answer.status, json.loads(text) if is_json else text
        finally:
            client.close()

    def get(self, path, **query):
        status, answer = self.call("GET", path, **query)
        require(status == 200, f"GET {path} {query}: {status} {answer}")
        return answer

    def done(self, method, path, body=None, status=200, **query):
        """Requires that a call has this status, and returns its answer."""
        got, answer = self.call(method, path, body, **query)
        require(got == status, f"{method} {path} {body}: {got} {answer}")
        return answer

    def refused(self, method, path, body, status, words):
        """Requires that a call is refused with this status and a sentence that has these words."""
        got, answer = self.call(method, path, body)
        require(got == status and words in answer["error"], f"{method} {path} {body}: {got} {answer}, and not {status} ...{words}...")

    def backend(self, name, pool="main"):
        """The backend as GET /v1/pools has it, or None."""
        pools = self.get("/v1/pools", pool=pool)["pools"]
        return next((row for row in pools[0]["backends"] if row["name"] == name), None)

    def wait_backend(self, name, condition, what):
        return wait_for(lambda: condition(self.backend(name)), f"backend {name}: {what}")

    def accepted(self, name):
        """Number of connections that the server of backend bN of the case has accepted."""
        return self.backends[int(name[1:])].accepted

    def command(self, *arguments, socket_path=None):
        """The command line that runs a subcommand."""
        return [self.rig.penstock, *arguments, "-s", socket_path or self.socket]

    def cli(self, *arguments, status=0, says=None, socket_path=None):
        """Runs a subcommand. Requires its exit status, and that it says these words: on standard output, or on standard error if it fails. Returns both."""
        done = subprocess.run(self.command(*arguments, socket_path=socket_path), capture_output=True, text=True, timeout=60, check=False)
        text = done.stdout + done.stderr
        require(done.returncode == status, f"penstock {' '.join(arguments)}: status {done.returncode} instead of {status}: {text}")
        require(status == 0 or len(done.stderr.splitlines()) <= 1, f"penstock {' '.join(arguments)}: more than one line: {done.stderr}")
        require(says is None or says in text, f"penstock {' '.join(arguments)}: not \"{says}\" but: {text}")
        return text

    def cli_json(self, *arguments, status=0):
        return json.loads(self.cli(*arguments, "--json", status=status))


class Load:
    """Clients that connect, call an echo backend and leave, over and over, in threads of their own."""

    def __init__(self, target, clients=4):
        self.target, self.calls, self.errors = target, 0, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            try:
                caller = Caller(self.target, key=f"{number}.{turn}")
                caller.call(2000)
                caller.close()
                self.calls += 1
            except Exception as error:
                self.errors.append(repr(error))
                return

    def more(self, count=20):
        """Waits until this many more calls are done, so that whatever was changed has been under load."""
        goal = self.calls + count
        wait_for(lambda: self.calls >= goal or self.errors, f"{count} more calls are done")
        require(not self.errors, f"a client of the load failed: {self.errors[:1]}")

    def close(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(15)

    def finish(self):
        """Ends the load, and requires that none of its clients failed."""
        self.close()
        require(not self.errors, f"{len(self.errors)} clients of the load failed, the first: {self.errors[:1]}")
        require(self.calls > 0, "the load has done nothing")
