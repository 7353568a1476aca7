"""redis-server, redis-benchmark and redis-cli."""
import random
import subprocess

from programs import Case, Program, finish, front, must, start
from rig import require, wait_for


def servers(rig):
    ports = [rig.ports.free(), rig.ports.free()]
    return [rig.keep(Program(rig, f"redis{number}", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                                     "--appendonly", "no", "--daemonize", "no", "--dir", rig.folder], port))
            for number, port in enumerate(ports)]


def benchmark(port, clients, requests, *more):
    return ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-c", str(clients), "-n", str(requests), "-q", *more]


def values(rig):
    """Values of 1 byte to 1 MB, set and read back in one redis-cli session, and many small commands from redis-benchmark."""
    port = front(rig, servers(rig))
    chance = random.Random(3)
    texts = ["".join(chance.choices("abcdefghijklmnop", k=size)) for size in (1, 100, 4096, 70000, 1000000)]
    commands = "".join(f"SET key{number} {text}\nGET key{number}\n" for number, text in enumerate(texts))
    done = subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(port)], input=commands, capture_output=True, text=True,
                          timeout=30, check=False)
    require(done.returncode == 0, f"redis-cli: {done.stderr}")
    require(done.stdout.split() == [word for text in texts for word in ("OK", text)], "a value came back changed")
    output = must(benchmark(port, 30, 20000, "-t", "set,get,lpush,lrange_100", "-d", "300"))
    require("requests per second" in output and "rror" not in output, f"redis-benchmark: {output}")
    must(benchmark(port, 10, 20000, "-t", "set,get", "-P", "16", "-d", "2000"))


def getting(server):
    """How many of its clients are busy with GET: that leaves out probes, and what redis-benchmark asks before it begins."""
    return must(["redis-cli", "-h", "127.0.0.1", "-p", str(server.port), "client", "list"]).count(" cmd=get ")


def killed(rig):
    """Ten clients at work, one server is killed: exactly those who were on it fail, and new ones work at once."""
    first, second = servers(rig)
    port = front(rig, (first, second))
    clients = [start(benchmark(port, 1, 10000000, "-t", "get")) for _ in range(10)]
    wait_for(lambda: getting(first) + getting(second) == 10, "the ten are at work")
    held = getting(first)
    # Each first asks for the server's settings over a connection of its own, so the ten need not lie five and five.
    require(2 <= held <= 8, f"{held} of 10 clients are on the first server")
    first.kill()
    wait_for(lambda: sum(client.poll() is not None for client in clients) == held, "the clients of the dead server have noticed")
    must(benchmark(port, 8, 4000, "-t", "set,get"))
    require(sum(client.poll() is not None for client in clients) == held, "a client of the living server failed too")
    wait_for(lambda: getting(second) == 10 - held, "the living server has its own clients, and no other any more")
    for client in clients:
        if client.poll() is None:
            client.terminate()
        finish(client)


NEEDED = ("redis-server", "redis-benchmark", "redis-cli")
CASES = (Case("redis-values", NEEDED, values), Case("redis-server-killed", NEEDED, killed))
