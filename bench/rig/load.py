"""penstock-bench as server and as load, on the CPU that is not the proxy's."""
import json
import subprocess

from proxies import LOAD_CPU, free_port, wait_for_port


class Spoiled(Exception):
    """A wrong byte, a stall or an error: the figure does not count."""


def pinned(command, netns=None):
    command = ["taskset", "-c", str(LOAD_CPU), *command]
    return ["ip", "netns", "exec", netns, *command] if netns else command


class Server:
    def __init__(self, programs, mode="echo", host="127.0.0.1", netns=None, options=()):
        self.address = (host, free_port())
        kind = ["udp"] if mode == "udp" else ["--mode", mode]
        command = [str(programs / "penstock-bench"), "serve", *kind, "--bind", f"{host}:{self.address[1]}", *options]
        self.process = subprocess.Popen(pinned(command, netns), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process.stdout.readline()  # "listening on ..."

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Load:
    """A run of the load generator; result() is its JSON."""

    def __init__(self, programs, target, *options, netns=None, udp=False):
        command = [str(programs / "penstock-bench"), "load", *(["udp"] if udp else []), f"{target[0]}:{target[1]}", "--json", *options]
        self.process = subprocess.Popen(pinned(command, netns), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self):
        out, error = self.process.communicate()
        if self.process.returncode != 0:
            raise Spoiled(f"{' '.join(self.process.args)}: {error.strip() or out}")
        return json.loads(out)


def run(programs, target, *options, netns=None, udp=False):
    return Load(programs, target, *options, netns=netns, udp=udp).result()


__all__ = ["Load", "Server", "Spoiled", "pinned", "run", "wait_for_port"]
