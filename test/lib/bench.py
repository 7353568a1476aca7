"""penstock-bench as the servers and the load generator of a test."""
import json
import select
import subprocess
import tempfile

import sandbox
from peers import connect
from rig import Failure, require, wait_for


class Server:
    """penstock-bench serve. It can be killed and restarted on the same port."""

    def __init__(self, rig, mode, port, *options):
        self.port, self.process = port, None
        self.arguments = [rig.bench, "serve", "--bind", f"127.0.0.1:{port}", "--mode", mode, *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=sandbox.die_with_parent)
        wait_for(self._answers, "penstock-bench serve answers")

    def _answers(self):
        require(self.process.poll() is None, f"penstock-bench serve ended: {' '.join(self.arguments)}")
        try:
            connect(("127.0.0.1", self.port), seconds=1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    close = kill


class UdpServer(Server):
    """penstock-bench serve udp."""

    def __init__(self, rig, port, *options):
        self.port, self.process = port, None
        self.arguments = [rig.bench, "serve", "udp", "--bind", f"127.0.0.1:{port}", *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        preexec_fn=sandbox.die_with_parent)
        readable = select.select([self.process.stdout], [], [], 10)[0]
        require(readable and self.process.stdout.readline().startswith(b"listening"), f"penstock-bench does not listen: {' '.join(self.arguments)}")

    def kill(self):
        super().kill()
        self.process.stdout.close()

    close = kill


class Load:
    """penstock-bench load in the background. `finish` requires that it lost nothing."""

    def __init__(self, rig, port, work, *options):
        self.launch([rig.bench, "load", f"127.0.0.1:{port}", "--work", work, *options])

    def launch(self, arguments):
        self.arguments = arguments
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
                                        preexec_fn=sandbox.die_with_parent)

    def command(self):
        return " ".join(["penstock-bench", *self.arguments[1:]])

    def wait(self, seconds):
        """Returns the exit status and the output."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.command()} did not end within {seconds:g} s") from None
        self.output.seek(0)
        return status, self.output.read()

    def finish(self, seconds):
        status, text = self.wait(seconds)
        require(status == 0, f"{self.command()} lost something (status {status}):\n{text}")
        return text

    def close(self):
        self.process.kill()
        self.process.wait()
        self.output.close()


class UdpLoad(Load):
    """penstock-bench load udp in the background."""

    def __init__(self, rig, port, *options):
        self.launch([rig.bench, "load", "udp", f"127.0.0.1:{port}", "--json", *options])

    def result(self, seconds):
        """Returns what it counted, clean or not."""
        status, text = self.wait(seconds)
        try:
            result = json.loads(text)
        except ValueError:
            raise Failure(f"{self.command()} ended with status {status}:\n{text}") from None
        require(result["clean"] == (status == 0), f"{self.command()} ended with status {status} after:\n{text}")
        return result

    def finish(self, seconds):
        return json.loads(super().finish(seconds))
