"""Starting and watching the programs of others."""
import socket
import subprocess
from collections import namedtuple
from pathlib import Path

import sandbox
from rig import Failure, require, wait_for

Case = namedtuple("Case", "name programs body")


class Program:
    """A server in the foreground, as a child that dies with the test. `udp`: it has no TCP port."""

    def __init__(self, rig, name, arguments, port, udp=False, stdin=subprocess.DEVNULL):
        self.name, self.port, self.udp = name, port, udp
        self.log = rig.path(f"{name}.log")
        self.process = subprocess.Popen(arguments, stdin=stdin, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT,
                                        preexec_fn=sandbox.die_with_parent, cwd=rig.folder)
        wait_for(self._answers, f"{name} answers at port {port}", 20)

    def _answers(self):
        require(self.process.poll() is None, f"{self.name} ended: {Path(self.log).read_text()[-2000:]}")
        if self.udp:
            return any(int(row.split()[1].split(":")[1], 16) == self.port for row in Path("/proc/net/udp").read_text().splitlines()[1:])
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def connections(self):
        """How many connections to its port are established, as the kernel's table says."""
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return sum(int(row.split()[1].split(":")[1], 16) == self.port and row.split()[3] == "01" for row in rows)

    def kill(self):
        self.process.kill()
        self.process.wait()

    close = kill


def front(rig, servers, protocol="tcp", **pool):
    """A penstock before the servers; returns its port."""
    port = rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{server.port}" for server in servers], [f"127.0.0.1:{port}"], listener={"protocol": protocol},
                       pool={"check": "tcp", "check_interval": "500ms", "balance": "least_conn", **pool}))
    return port


def start(arguments, **options):
    """A client in the background."""
    return subprocess.Popen(arguments, stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                            stderr=options.pop("stderr", subprocess.STDOUT), preexec_fn=sandbox.die_with_parent, **options)


def finish(process, seconds=40):
    """Its exit status and output."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"{process.args[0]} hangs") from None
    return process.returncode, output if isinstance(output, str) else output.decode(errors="replace")


def must(arguments, seconds=40, **options):
    """Runs a client that must end with status 0; returns its output."""
    status, output = finish(start(arguments, **options), seconds)
    require(status == 0, f"{' '.join(map(str, arguments))}: status {status}: {output[-1500:]}")
    return output
