"""Three network namespaces of our own on veth pairs, client - proxy - server, with segmentation and receive offload off. Needs root."""
import atexit
import os
import subprocess

from proxies import Unavailable


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Routed:
    def __init__(self):
        tag = f"pb{os.getpid() % 100000}"
        self.client, self.proxy, self.server = (f"{tag}{role}" for role in "cps")
        self.proxy_host, self.server_host = "10.201.1.2", "10.201.2.2"

    def open(self):
        for name in (self.client, self.proxy, self.server):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        self._pair(self.client, "10.201.1.1", self.proxy, self.proxy_host)
        self._pair(self.proxy, "10.201.2.1", self.server, self.server_host)

    @staticmethod
    def _pair(left, left_host, right, right_host):
        ends = ((left, f"to{right[-1]}", left_host), (right, f"to{left[-1]}", right_host))
        ip("-n", left, "link", "add", ends[0][1], "type", "veth", "peer", "name", ends[1][1], "netns", right)
        for space, device, host in ends:
            ip("-n", space, "addr", "add", f"{host}/24", "dev", device)
            ip("-n", space, "link", "set", device, "up")
            subprocess.run(["ip", "netns", "exec", space, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off"], check=True,
                           capture_output=True)

    def close(self):
        for name in (self.client, self.proxy, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def routed(rig):
    """The namespaces of this run: made at the first call, gone with the process."""
    if "routed" not in rig.found:
        net = Routed()
        atexit.register(net.close)
        try:
            net.open()
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(f"network namespaces are not to be had here: {error}") from None
        rig.found["routed"] = net
    return rig.found["routed"]
