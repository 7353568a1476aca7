"""The servers of a UDP case, and a penstock in front of them."""
import re

from rig import Failure, require, wait_for
from udp_peers import UdpClient, UdpServer, naming


class UdpStage:
    """`servers`: how many, or what each of them answers (udp_peers.UdpServer); None: its port is closed. They have the names b0, b1, ..."""

    def __init__(self, rig, case, servers=1, host="127.0.0.1", binds=None, options=None, start=True, server_host=None, **server):
        self.rig, self.clients = rig, []
        answers = [naming(f"b{number}") for number in range(servers)] if isinstance(servers, int) and servers > 1 else \
            [lambda data, peer: [data]] if isinstance(servers, int) else servers
        self.server_host = server_host or ("::1" if ":" in host else "127.0.0.1")
        self.ports = [rig.ports.free() for _ in answers]
        self.servers = [answer and self._serve(number, answer, **server) for number, answer in enumerate(answers)]
        self.target = (host, rig.ports.free())
        addresses = [(self.text((self.server_host, port)), options or "") for port in self.ports]
        pool = {"splice": None, "balance": "round_robin", "udp_idle_timeout": "1s", **case.pool}
        self.ini = rig.ini(addresses, binds(self) if binds else [self.text(self.target)], {"log_level": "debug", **case.glob},
                           {"protocol": "udp", **case.listener}, pool)
        self.penstock = rig.launch(self.ini) if start else None

    @staticmethod
    def text(address):
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"

    def _serve(self, number, answer, **server):
        return self.rig.keep(UdpServer((self.server_host, self.ports[number]), f"b{number}", answer, **server))

    def revive(self, number, answer=None, **server):
        """Starts a server at the address of one that was closed."""
        self.servers[number] = self._serve(number, answer or naming(f"b{number}"), **server)

    def client(self, target=None, source=None, **options):
        client = self.rig.keep(UdpClient(target or self.target, source, **options))
        self.clients.append(client)
        return client

    def several(self, count):
        return [self.client() for _ in range(count)]

    def totals(self):
        """Stops penstock. Returns its totals: flows, datagrams to backends and to clients, dropped datagrams, and those of them that a limit refused."""
        if self.penstock.alive():
            self.penstock.stop()
        found = re.search(r"UDP: (\d+) flows, (\d+) datagrams to backends, (\d+) to clients, (\d+) dropped, (\d+) of these", self.penstock.log())
        if not found:
            raise Failure("the log has no totals")
        return dict(zip(("flows", "out", "back", "dropped", "refused"), map(int, found.groups())))

    def idle(self, seconds=10.0):
        """Waits until all flows have ended."""
        wait_for(lambda: self.penstock.sockets() <= self.penstock.sockets_at_start, "all flows have ended", seconds)

    def flows(self):
        """Number of open flows: each has one socket."""
        return self.penstock.sockets() - self.penstock.sockets_at_start

    def ends(self, count):
        """Waits for `count` ended flows and returns their lines of the access log."""
        rows = self.rig.access(count)
        require(len(rows) == count, f"{len(rows)} flows in the access log instead of {count}")
        return rows
