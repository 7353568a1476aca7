"""congestion_control: which algorithm the sockets of both sides of a session have, where the system's default is bbr."""
import re
import resource
import socket
import subprocess
from collections import Counter
from pathlib import Path

import needs
from backends import Backend
from case import ENGINES, ONCE, Case
from cases_lifecycle import fails
from cases_sockets import inet_sockets
from peers import Caller
from rig import Skip, require

DEFAULT = Path("/proc/sys/net/ipv4/tcp_congestion_control")
FAR = "10.99.0.1"  # an address of this machine outside 127.0.0.0/8


def network_with_bbr():
    needs.own_network()
    subprocess.run(["ip", "address", "add", f"{FAR}/32", "dev", "lo"], check=True)
    try:
        DEFAULT.write_text("bbr")
    except OSError:
        raise Skip("this kernel has no bbr") from None


def algorithms(penstock, port):
    """Returns the algorithms of the only open session: (client's side, backend's side)."""
    found = {}
    for sock in inet_sockets(penstock.pid):
        with sock:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found[sock.getsockname()[1] == port] = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
    require(len(found) == 2, f"sides of a session: {found}")
    return found[True], found[False]


def by_address(rig, case):
    """Where the default is bbr, `auto` selects reno for loopback peers, separately for each side. `system` changes nothing, and a name applies to clients."""
    network_with_bbr()
    for configured, bind, caller, backend, due in (
            (None, "0.0.0.0", "127.0.0.1", "127.0.0.1", ("reno", "reno")),
            (None, "0.0.0.0", FAR, "127.0.0.1", ("bbr", "reno")),
            (None, "127.0.0.1", "127.0.0.1", FAR, ("reno", "bbr")),
            (None, "[::]", "::1", "127.0.0.1", ("reno", "reno")),
            ("system", "0.0.0.0", "127.0.0.1", "127.0.0.1", ("bbr", "bbr")),
            ("reno", "0.0.0.0", FAR, FAR, ("reno", "bbr")),
            ("bbr", "0.0.0.0", "127.0.0.1", "127.0.0.1", ("bbr", "reno"))):
        port = rig.ports.free()
        server = rig.keep(Backend((backend, rig.ports.free())))
        options = {"congestion_control": configured} if configured else {}
        penstock = rig.launch(rig.ini([f"{backend}:{server.address[1]}"], [f"{bind}:{port}"], listener=options))
        session = Caller((caller, port))
        session.call(1000)
        got = algorithms(penstock, port)
        require(got == due, f"congestion_control = {configured}, {caller} at {bind}, backend at {backend}: {got} instead of {due}")
        session.close()
        penstock.stop()


def listening(penstock):
    """Returns the address and the algorithm of each listening socket."""
    found = []
    for sock in inet_sockets(penstock.pid):
        with sock:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append((sock.getsockname()[0], sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()))
    return sorted(found)


def beside_wildcards(rig, case):
    """A wildcard address gets a loopback socket that never used bbr, for clients on this machine, unless the listener has an interface or nothing paces."""
    network_with_bbr()
    for default, listener, binds, due in (
            ("bbr", {}, ["0.0.0.0"], [("0.0.0.0", "bbr"), ("127.0.0.1", "reno")]),
            ("bbr", {}, ["*"], [("0.0.0.0", "bbr"), ("127.0.0.1", "reno"), ("::", "bbr"), ("::1", "reno")]),
            ("bbr", {}, [FAR], [(FAR, "bbr")]),
            ("bbr", {"interface": "lo"}, ["0.0.0.0"], [("0.0.0.0", "bbr")]),
            ("bbr", {"congestion_control": "system"}, ["0.0.0.0"], [("0.0.0.0", "bbr")]),
            ("bbr", {"congestion_control": "reno"}, ["0.0.0.0"], [("0.0.0.0", "reno")]),
            ("reno", {}, ["0.0.0.0"], [("0.0.0.0", "reno")])):
        DEFAULT.write_text(default)
        port = rig.ports.free()
        server = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
        penstock = rig.launch(rig.ini([f"127.0.0.1:{server.address[1]}"], [f"{bind}:{port}" for bind in binds], listener=listener))
        found = listening(penstock)
        require(found == sorted(2 * due), f"{default}, {listener} {binds}: {found}")  # one socket for each of two workers
        for host in (FAR,) if binds == [FAR] else (FAR, "127.0.0.1"):
            session = Caller((host, port))
            session.call(1000)
            session.close()
        penstock.stop()


def beside_where_it_can_be_had(rig, case):
    """The additional loopback sockets are optional: a missing address is ignored, a range of ports gets at most 64, and a process short of descriptors none."""
    network_with_bbr()
    Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("1")  # removes ::1
    require(subprocess.run(["ip", "-6", "address", "show", "to", "::1"], capture_output=True).stdout == b"", "::1 is still there")
    port, first = rig.ports.free(), rig.ports.free(70)
    server = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    def ini(connections):
        return rig.ini([f"127.0.0.1:{server.address[1]}"], [f"[::]:{port}", f"0.0.0.0:{first}-{first + 69}"],
                       glob={"workers": 1, "max_connections": connections})
    for connections, descriptors in ((440, 1100), ("auto", 900)):  # the first limit leaves none for them; of the second, they would take more than a sixteenth
        short = rig.launch(ini(connections), limits={resource.RLIMIT_NOFILE: descriptors})
        require(listening(short) == 70 * [("0.0.0.0", "bbr")] + [("::", "bbr")], f"with {descriptors} descriptors: {Counter(listening(short))}")
        short.stop()
    penstock = rig.launch(ini("auto"))
    found = listening(penstock)
    require(found == 70 * [("0.0.0.0", "bbr")] + 64 * [("127.0.0.1", "reno")] + [("::", "bbr")], f"{Counter(found)}")
    for port in (first, first + 69):
        Caller(("127.0.0.1", port)).call(1000)


def unknown(rig, case):
    """An algorithm that the kernel does not have is refused at the start, with its file and line."""
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], listener={"congestion_control": "nosuch"})
    text = fails(rig, ["run", "-c", ini], r"listener main: cannot set the congestion control of 127\.0\.0\.1:\d+: .*tcp_available_congestion_control")
    require(re.search(r"penstock\.ini:\d+: ", text), f"no place: {text}")


CASES = (
    Case("congestion-control", by_address.__doc__, body=by_address, ways=ENGINES),
    Case("congestion-control-beside-wildcards", beside_wildcards.__doc__, body=beside_wildcards, ways=ENGINES),
    Case("congestion-control-beside-where-it-can-be-had", beside_where_it_can_be_had.__doc__, body=beside_where_it_can_be_had, ways=ONCE),
    Case("congestion-control-unknown", unknown.__doc__, body=unknown, ways=ONCE),
)
