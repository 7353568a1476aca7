"""gRPC: unary calls and streams of all three kinds, over channels that stay open."""
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from programs import Case, Program, finish, front, start
from rig import Skip, require

PEER = str(Path(__file__).with_name("grpc_peer.py"))
CHANNELS = 6


def work(rig, kill):
    if not importlib.util.find_spec("grpc"):
        raise Skip("python3-grpcio is not installed")
    servers = []
    for name in ("grpc0", "grpc1"):
        port = rig.ports.free()
        servers.append(rig.keep(Program(rig, name, [sys.executable, "-B", PEER, "serve", str(port), name], port)))
    port = front(rig, servers)
    client = start([sys.executable, "-B", PEER, "call", str(port), str(CHANNELS)], stdin=subprocess.PIPE, text=True)
    firsts = client.stdout.readline()
    require(firsts.startswith("["), f"the client failed: {firsts}{client.stdout.read() if client.poll() is not None else ''}")
    names = json.loads(firsts)
    require(names.count("grpc0") == CHANNELS // 2, f"the channels are spread {names}")
    if kill:
        servers[0].kill()
    client.stdin.write("go on\n")
    client.stdin.flush()
    status, output = finish(client)
    require(status == 0, f"the client: {output}")
    result = json.loads(output.strip().splitlines()[-1])
    for row in result["callers"]:
        on_killed = kill and row["first"] == "grpc0"
        require(row["wrong"] == 0, f"wrong answers: {row}")
        require(on_killed or not row["errors"], f"errors on a channel whose server lives: {row}")
        require(all(text.startswith(("UNAVAILABLE", "CANCELLED", "UNKNOWN")) for text in row["errors"]), f"strange errors: {row}")
        require(len(row["errors"]) <= 3, f"the channel did not come back at once: {row}")
        require(row["last"] == ("grpc1" if on_killed else row["first"]), f"the channel works with {row['last']}: {row}")
        require(row["calls"] >= 40, f"only {row['calls']} calls: {row}")
    require(not result["late"]["errors"] and not result["late"]["wrong"], f"a channel opened after the kill: {result['late']}")


CASES = (Case("grpc-unary-and-streams", (), lambda rig: work(rig, False)),
         Case("grpc-server-killed", (), lambda rig: work(rig, True)))
