"""gRPC probes of servers that were not written here: python3-grpcio, without and with TLS."""
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from probe_cases import NAME, PROBED, make_certificates
from programs import Case, Program
from rig import Skip, require, wait_for

PEER = str(Path(__file__).with_name("grpc_health_peer.py"))


class Peer(Program):
    """A server of grpc_health_peer.py. `kind` says which services it has."""

    def __init__(self, rig, kind, *more):
        port = rig.ports.free()
        super().__init__(rig, f"{kind}-{port}", [sys.executable, "-B", PEER, str(port), kind, *more], port, stdin=subprocess.PIPE)

    def answer(self, state):
        """Makes it answer this from now on."""
        self.process.stdin.write(f"{state}\n".encode())
        self.process.stdin.flush()


def launch(rig, peers, **pool):
    if not importlib.util.find_spec("grpc"):
        raise Skip("python3-grpcio is not installed")
    servers = [rig.keep(Peer(rig, *row)) for row in peers]
    penstock = rig.launch(rig.ini([f"127.0.0.1:{server.port}" for server in servers], [f"127.0.0.1:{rig.ports.free()}"],
                                  pool={**PROBED, "check": "grpc", **pool}))
    return servers, penstock


def wait_line(penstock, number, state, count=1):
    pattern = rf"backend b{number} .* is {state}"
    wait_for(lambda: len(re.findall(pattern, penstock.log())) >= count, f"the log says {count} times /{pattern}/")


def health(rig):
    """The state follows SERVING and NOT_SERVING, one log line for each change. Servers without the service, or that reject the call, are down."""
    servers, penstock = launch(rig, (["health"], ["other"], ["aborting"]), check_service="llama")
    wait_line(penstock, 1, r"DOWN: has no gRPC service for health checks \(status UNIMPLEMENTED: Method not found!\)")
    wait_line(penstock, 2, r"DOWN: gRPC status UNAVAILABLE: model is loading, 50%")
    for turn in 1, 2:
        servers[0].answer("NOT_SERVING")
        wait_line(penstock, 0, r"DOWN: health status NOT_SERVING", turn)
        servers[0].answer("SERVING")
        wait_line(penstock, 0, "UP", turn)
    servers[0].answer("unknown")
    wait_line(penstock, 0, r"DOWN: does not know service llama \(status NOT_FOUND")
    require(len(re.findall(r"backend b0 .* is (?:UP|DOWN)", penstock.log())) == 5, "a change was logged more than once")


def inference(rig):
    """With check_grpc = inference, a server is up while it says that it is ready."""
    servers, penstock = launch(rig, (["inference"], ["health"]), check_grpc="inference")
    wait_line(penstock, 1, "DOWN: has no gRPC service for the Open Inference Protocol")
    servers[0].answer("NOT_SERVING")
    wait_line(penstock, 0, "DOWN: server is not ready")
    servers[0].answer("SERVING")
    wait_line(penstock, 0, "UP")


def hangs(rig):
    """A server that accepts and does not answer is down after check_timeout, and up when it answers again."""
    servers, penstock = launch(rig, (["health"],), check_timeout="300ms")
    servers[0].answer("hang")
    wait_line(penstock, 0, "DOWN: timed out after 300 ms")
    servers[0].answer("SERVING")
    wait_line(penstock, 0, "UP")


def tls(rig):
    """Over TLS, the certificate must be good. A server without TLS fails."""
    make_certificates(rig)
    _, penstock = launch(rig, (["health", rig.path("good.pem"), rig.path("good.key")], ["health", rig.path("wrong.pem"), rig.path("wrong.key")], ["health"]),
                         check_tls="yes", check_tls_ca=rig.path("ca.pem"), check_tls_name=NAME, check_initial="down")
    wait_line(penstock, 0, "UP")
    require(len(re.findall(r" is (?:UP|DOWN)", penstock.log())) == 1, "a server without a good certificate is up")


CASES = (Case("probe-grpc-health", (), health), Case("probe-grpc-inference", (), inference), Case("probe-grpc-hangs", (), hangs),
         Case("probe-grpc-tls", ("openssl",), tls))
