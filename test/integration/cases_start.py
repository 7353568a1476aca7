"""Start: if a resource is not available, one clear line says so before any client is accepted. Files and sockets of others stay unchanged."""
import os
import re
import resource
import select
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import needs
import sandbox
from backends import Backend
from case import ENGINES, ONCE, Case
from cases_lifecycle import fails, refused
from peers import Caller
from rig import holds_for, require, wait_for


def two_at_once(address):
    def body(rig, case):
        """Two penstocks are started at the same moment with the same address. One serves, and the other reports "in use"."""
        backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
        for _ in range(6):
            front = rig.path("front.sock") if address == "unix" else ("127.0.0.1", rig.ports.free())
            ini = rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"unix:{front}" if address == "unix" else f"127.0.0.1:{front[1]}"])
            pair = [rig.launch(ini, ready=False), rig.launch(ini, ready=False)]
            wait_for(lambda: all(one.logged(r"\bready\b") or not one.alive() for one in pair), "both are ready or have ended")
            serving = [one for one in pair if one.alive()]
            require(len(serving) == 1, f"{len(serving)} of the two serve")
            ended = pair[1 - pair.index(serving[0])]
            require(ended.wait_exit() == 1 and ended.logged("in use"), f"the other one: {ended.log()}")
            caller = Caller(front)
            caller.call(100)
            caller.close()
            serving[0].stop()
    return body


def hold_lock(user):
    held = socket.socket(socket.AF_UNIX)
    os.seteuid(user)
    held.bind("\0penstock-binding")
    held.listen(100)
    os.seteuid(0)
    return held


def lock_held(rig, case):
    """A start waits while another penstock takes long to start. Another user's process that holds the lock delays a start by only a few seconds."""
    needs.own_network()  # this case holds the lock for long, and other cases must not wait for it
    ini = rig.ini(["127.0.0.1:9"], [f"unix:{rig.path('front.sock')}"])
    with hold_lock(0):
        waiting = rig.launch(ini, ready=False)
        holds_for(lambda: waiting.alive() and not waiting.log(), "it waits for the lock", 6)
    waiting.wait_ready()
    waiting.stop()
    with hold_lock(sandbox.NOBODY):
        hasty = rig.launch(ini)
        require(hasty.logged("starting without the lock"), f"not said: {hasty.log()}")
        hasty.stop()


def half_start(rig, case):
    """If a worker cannot start, there is one clear line on standard error, wherever the log is. No client was accepted before."""
    needs.own_network()
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    port, workers = rig.ports.free(), 40
    ini = rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{port}"], {"workers": workers, "log": rig.path("penstock.log")})
    # The limit on threads of this user suffices for control, log, health and all workers but the last ones.
    process = rig.launch(ini, ready=False, user=20000 + os.getpid() % 40000, limits={resource.RLIMIT_NPROC: workers})
    accepted = 0
    while process.alive():
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            accepted += 1
        except OSError:
            pass
    require(accepted == 0, f"{accepted} clients were let in and then dropped")
    require(process.wait_exit() == 1, "status is not 1")
    require(process.logged(r"cannot start worker \d+: .*; "), f"no line with advice: {process.log()}")


def missing_cpu(rig, case):
    """cpu_affinity with a CPU that does not exist is refused. The message lists the CPUs that do."""
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {"cpu_affinity": "0,1023"})
    text = fails(rig, ["run", "-c", ini], r"cpu_affinity: .*CPU 1023")
    require(re.search(r"may run on .*\d", text), f"it does not say which CPUs there are: {text}")


def not_a_socket(rig, case):
    """If the path of a UNIX listener is a folder or a file, the start is refused, and it stays unchanged."""
    plain = rig.write("plain", "precious\n")
    for path in (plain, rig.folder):
        ini = rig.ini(["127.0.0.1:9"], [f"unix:{path}"])
        fails(rig, ["run", "-c", ini], re.escape(path) + r".*: .*(no|not a) socket.* in the way")
    require(Path(plain).read_text() == "precious\n", "the file was changed")


def one_socket_two_names(rig, case):
    """Two binds to one UNIX socket under two names are refused. Otherwise, nobody could reach one of the listeners."""
    os.mkdir(rig.path("real"))
    os.symlink("real", rig.path("link"))
    binds = [f"unix:{rig.path('real')}/x.sock", f"unix:{rig.path('link')}/x.sock"]
    fails(rig, ["run", "-c", rig.ini(["127.0.0.1:9"], binds)], r"link/x\.sock.*another listener")
    require(not os.listdir(rig.path("real")), "a socket was left behind")


def unwritable_log(rig, case):
    """For a log that cannot be opened, the message has the key, the path and what to do."""
    for key in ("log", "access_log"):
        ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"], {key: "/nowhere/at/all.log"})
        fails(rig, ["run", "-c", ini], rf"\b{key} = /nowhere/at/all\.log: .*; .*directory")


def few_descriptors(rig, case):
    """With a very low limit on open files, one line says what to raise."""
    ini = rig.ini(["127.0.0.1:9"], [f"127.0.0.1:{rig.ports.free()}"])
    for limit in (4, 5, 6, 20):
        fails(rig, ["run", "-c", ini], r"LimitNOFILE", limits={resource.RLIMIT_NOFILE: limit})


def socket_left_behind(rig, case):
    """A UNIX listener in a folder in which `user` may not write leaves its file behind at the stop, and the log says so."""
    needs.root()
    folder = rig.keep(tempfile.TemporaryDirectory(prefix="penstock-test-"))
    folder.close = folder.cleanup
    os.chmod(folder.name, 0o755)
    front = os.path.join(folder.name, "front.sock")
    penstock = rig.launch(rig.ini(["127.0.0.1:9"], [f"unix:{front}"], {"user": "nobody", "access_log": None}))
    require(os.stat(front).st_uid == sandbox.NOBODY, "the socket does not belong to the user")
    penstock.stop()
    require(penstock.logged(rf"cannot remove {re.escape(front)}: permission denied; .*directory"), f"nothing was said: {penstock.log()}")


def group_of_the_folder(rig, case):
    """Without user and group, a socket in a folder with the set-group-ID bit keeps the folder's group."""
    needs.root()
    os.mkdir(rig.path("shared"))
    os.chown(rig.path("shared"), -1, 12345)
    os.chmod(rig.path("shared"), 0o2775)
    front = rig.path("shared/front.sock")
    rig.launch(rig.ini(["127.0.0.1:9"], [f"unix:{front}"]))
    require(os.stat(front).st_gid == 12345, f"the group is {os.stat(front).st_gid}")


def signals_while_draining(rig, case):
    """SIGHUP and SIGUSR1 during a drain neither end it nor count as the second stop signal."""
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    target = ("127.0.0.1", rig.ports.free())
    penstock = rig.launch(rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{target[1]}"], {"drain_timeout": "500ms"}))
    caller = rig.keep(Caller(target))
    caller.call(100)
    penstock.signal(signal.SIGTERM)
    penstock.wait_log("accepting stops")
    while penstock.alive():  # again and again, so that one arrives together with the deadline
        try:
            penstock.signal(signal.SIGUSR1)
        except ProcessLookupError:
            break
    require(penstock.wait_exit() == 0, "status is not 0")
    require(penstock.logged("drain_timeout is over: closing") and not penstock.logged("second signal"), f"said: {penstock.log()}")


class Closer:
    """A process whose standard descriptors were closed at its start. A shell starts it, because Popen would open descriptors in their place."""

    def __init__(self, closed, arguments):
        closing = " ".join(f"{number}>&-" for number in closed)
        self.process = subprocess.Popen(["/bin/sh", "-c", f'exec "$@" {closing}', "sh", *arguments], preexec_fn=sandbox.die_with_parent,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def links(self, numbers):
        return [os.readlink(f"/proc/{self.process.pid}/fd/{number}") for number in numbers]

    def close(self):
        self.process.kill()
        self.process.wait()


def standard_descriptors_closed(rig, case):
    """If both programs are started with standard descriptors closed, they open /dev/null in their place. None of their sockets gets these numbers."""
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    for closed in ((0, 1, 2), (1, 2), (0,), (2,)):
        port = rig.ports.free()
        ini = rig.ini([f"127.0.0.1:{backend.address[1]}"], [f"127.0.0.1:{port}"])
        for arguments in ([rig.penstock, "run", "-c", ini], [rig.bench, "serve", "--bind", f"127.0.0.1:{port}"]):
            started = Closer(closed, arguments)
            rig.keep(started)
            wait_for(lambda: not refused(("127.0.0.1", port)), f"{arguments[0]} serves")
            require(started.links(closed) == ["/dev/null"] * len(closed), f"{arguments[0]}: {closed} are {started.links(closed)}")
            started.process.terminate()
            started.process.wait(10)


def check_status(rig, ini):
    done = subprocess.run([rig.penstock, "check", "-c", ini], capture_output=True, text=True, timeout=10, check=False)
    return done.returncode, done.stderr


def comes_back(rig, case):
    """A backend at an address of this machine is refused if the kernel would deliver connections to it to a listener, and only then."""
    needs.own_network()
    for command in ("link add v0 type veth peer name v1", "link set v1 up", "link set v0 up", "addr add 10.98.0.1/24 dev v0", "addr add 10.99.0.1/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    for interface in (None, "v0", "lo"):
        for own in ("10.98.0.1", "10.99.0.1", "127.0.0.9", "10.98.0.2"):
            port = rig.ports.free()
            ini = rig.ini([f"{own}:{port}"], [f"*:{port}"], listener={"interface": interface} if interface else None)
            with socket.socket() as listener, socket.socket() as client:
                if interface:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                listener.bind(("0.0.0.0", port))
                listener.listen()
                client.setblocking(False)  # there is no host 10.98.0.2, so this connect would wait
                client.connect_ex((own, port))
                arrived = bool(select.select([listener], [], [], 0 if own.endswith(".2") else 0.2)[0])
            status, text = check_status(rig, ini)
            require((status == 1) == arrived, f"interface {interface}, backend {own}: a connection {'arrives' if arrived else 'does not arrive'}, check: {status} {text}")
            if arrived:
                why = rf"backend b0 {re.escape(own)}:{port}: an address of this machine (\(\w+\) )?that listener main accepts \(line \d+\): connections would loop back"
                require(re.search(rf"penstock\.ini:\d+: {why}", text), f"check: {text}")
                fails(rig, ["run", "-c", ini], "would loop back", lines=2)


def circle(rig, case):
    """Two listeners that lead to each other are refused by `check` and `run`, with the path of the loop. A chain that ends is served."""
    ports = [rig.ports.free() for _ in range(2)]
    backend = rig.keep(Backend(("127.0.0.1", rig.ports.free())))
    template = ("[global]\nworkers = 1\naccess_log = {log}\n[defaults]\ncheck = none\n[listener a]\nbind = *:{a}\npool = x\n[pool x]\nbackend = b 127.0.0.1:{b}\n"
                "[listener b]\nbind = 127.0.0.1:{b}\npool = y\n[pool y]\nbackend = a {end}\n")
    ini = rig.write("circle.ini", template.format(log=rig.access_path, a=ports[0], b=ports[1], end=f"127.1.2.3:{ports[0]}"))
    way = r"circle\.ini:15: .*listener a -> pool x -> backend b \(line 10\) -> listener b \(line 12\) -> pool y -> backend a \(line 15\) -> listener a \(line 7\)"
    for command in ("check", "run"):
        fails(rig, [command, "-c", ini], way)
    rig.launch(rig.write("chain.ini", template.format(log=rig.access_path, a=ports[0], b=ports[1], end=f"127.0.0.1:{backend.address[1]}")))
    caller = rig.keep(Caller(("127.0.0.1", ports[0])))
    caller.call(1000)


def addresses_unknown(rig, case):
    """Penstock also starts if the kernel does not report the addresses of this machine, as under a strict seccomp filter."""
    port = rig.ports.free()
    rig.launch(rig.ini([f"203.0.113.7:{port}"], [f"*:{port}"]), block_family=socket.AF_NETLINK)


CASES = (
    Case("two-penstocks-at-once", two_at_once("tcp").__doc__, body=two_at_once("tcp"), ways=ENGINES, seconds=60),
    Case("two-penstocks-at-once-unix", two_at_once("unix").__doc__, body=two_at_once("unix"), ways=ENGINES, seconds=60),
    Case("lock-held-by-another", lock_held.__doc__, body=lock_held, ways=ONCE),
    Case("half-start", half_start.__doc__, body=half_start, ways=ENGINES),
    Case("cpu-that-is-not-there", missing_cpu.__doc__, body=missing_cpu, ways=ONCE),
    Case("no-socket-at-the-path", not_a_socket.__doc__, body=not_a_socket, ways=ONCE),
    Case("one-unix-socket-two-names", one_socket_two_names.__doc__, body=one_socket_two_names, ways=ONCE),
    Case("unwritable-log", unwritable_log.__doc__, body=unwritable_log, ways=ONCE),
    Case("backend-is-this-machine", comes_back.__doc__, body=comes_back, ways=ONCE, seconds=60),
    Case("listeners-in-a-circle", circle.__doc__, body=circle, ways=ONCE),
    Case("addresses-of-the-machine-unknown", addresses_unknown.__doc__, body=addresses_unknown, ways=ONCE),
    Case("standard-descriptors-closed", standard_descriptors_closed.__doc__, body=standard_descriptors_closed, ways=ONCE),
    Case("few-descriptors", few_descriptors.__doc__, body=few_descriptors, ways=ONCE),
    Case("unix-socket-left-behind", socket_left_behind.__doc__, body=socket_left_behind, ways=ONCE),
    Case("unix-socket-group-of-the-folder", group_of_the_folder.__doc__, body=group_of_the_folder, ways=ONCE),
    Case("signals-while-draining", signals_while_draining.__doc__, body=signals_while_draining, ways=ONCE),
)
