"""penstock-bench as the servers and the load generator of a test."""
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


class Load:
    """penstock-bench load in the background. `finish` requires that it lost nothing."""

    def __init__(self, rig, port, work, *options):
        self.arguments = [rig.bench, "load", f"127.0.0.1:{port}", "--work", work, *options]
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
                                        preexec_fn=sandbox.die_with_parent)

    def finish(self, seconds):
        command = " ".join(self.arguments[1:])
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"penstock-bench {command} did not end within {seconds:g} s") from None
        self.output.seek(0)
        text = self.output.read()
        require(status == 0, f"penstock-bench {command} lost something (status {status}):\n{text}")
        return text

    def close(self):
        self.process.kill()
        self.process.wait()
        self.output.close()
