"""Network namespaces with virtual links, for cases that need more than the loopback."""
import os
import subprocess

import needs
import sandbox
from rig import Skip, wait_for

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


class Neighbour:
    """Another network namespace that has a link to the case's own one (needs.own_network()). `name` is the link's name at our end, and `net` its network:
    10.NET.0.1 and fd00:NET::1 are ours, 10.NET.0.2 and fd00:NET::2 are the neighbour's."""

    def __init__(self, name, net):
        self.name, self.net = name, net
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"], preexec_fn=sandbox.die_with_parent)
        self.own = os.open("/proc/self/ns/net", os.O_RDONLY)
        wait_for(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "the namespace is there")
        self.other = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        try:
            ip("link", "add", name, "type", "veth", "peer", "name", "peer", "netns", self.holder.pid)
        except subprocess.CalledProcessError as error:
            raise Skip(f"no virtual links: {error}") from None
        self._address(name, 1)
        with self:
            self._address("peer", 2)
            ip("link", "set", "lo", "up")
        self.ours, self.theirs = f"10.{net}.0.1", f"10.{net}.0.2"
        self.ours6, self.theirs6 = f"fd00:{net}::1", f"fd00:{net}::2"

    def _address(self, link, number):
        ip("addr", "add", f"10.{self.net}.0.{number}/24", "broadcast", f"10.{self.net}.0.255", "dev", link)
        ip("addr", "add", f"fd00:{self.net}::{number}/64", "dev", link, "nodad")
        ip("link", "set", link, "up")

    # Sockets that are made inside `with neighbour:` belong to its namespace, also afterwards.
    def __enter__(self):
        self._enter(self.other)

    def __exit__(self, *error):
        self._enter(self.own)

    @staticmethod
    def _enter(descriptor):
        if sandbox.libc.setns(descriptor, CLONE_NEWNET):
            raise OSError("setns")

    def close(self):
        self.holder.kill()
        self.holder.wait()
        os.close(self.own)
        os.close(self.other)


def neighbours(rig, *names):
    """Moves the case to a network namespace of its own, with a neighbour for each name."""
    needs.own_network()
    needs.ipv6()
    return [rig.keep(Neighbour(name, number + 7)) for number, name in enumerate(names)]
