"""The choice of a backend: failover, health, weights, hashing, limits, backups."""
import platform
import socket
import time
from collections import Counter

import sandbox
from backends import Backend
from case import EACH, ENGINES, Case, Stage
from peers import Caller, connect, listen, turned_away
from rig import Failure, Skip, require, wait_for

CHECKED = {"check": "tcp", "check_interval": "100ms", "check_fast_interval": "100ms", "check_timeout": "500ms", "rise": 2, "fall": 2}


def greetings(target, count, hold=False, **options):
    """Counts which backends serve `count` connections that are made one after another. With `hold`, all of them stay open and are returned too."""
    callers = []
    for number in range(count):
        callers.append(Caller(target, key=number, greeted=True, **options))
        callers[-1].call(20)
        if not hold:
            callers[-1].close()
    names = Counter(caller.greeting for caller in callers)
    return (names, callers) if hold else names


def settle(target, names, seconds=5.0):
    """Waits until sessions go to exactly these backends, because a change is published a moment after it is logged."""
    wait_for(lambda: set(greetings(target, 4)) == set(names), f"sessions go to {names}", seconds)


def served(target):
    """Whether a client is served rather than turned away."""
    try:
        greetings(target, 1)
        return True
    except (OSError, Failure):
        return False


def refused_then_next(rig, case):
    """Two of three backends refuse connections. The third serves every client."""
    stage = Stage(rig, case)
    names = greetings(stage.target, 20)
    require(names == {"b2": 20}, f"served by {dict(names)}")
    require(any(int(row.get("tries", 0)) > 1 for row in rig.access(20)), "no session says that it took more than one try")


def full_backlog(rig):
    """Returns an address that does not answer connection requests, because nobody accepts and the queue is full."""
    address = ("127.0.0.1", rig.ports.free())
    rig.keep(listen(address, backlog=0))
    for _ in range(8):
        try:
            rig.keep(connect(address, seconds=0.3))
        except OSError:
            return address
    raise Skip("this kernel never lets a queue run full")


def connect_timeout_then_next(rig, case):
    """If a backend does not answer the connection request, the next backend serves the client after connect_timeout."""
    stage = Stage(rig, case, start=False)
    silent = full_backlog(rig)
    ini = rig.ini([f"127.0.0.1:{silent[1]}", f"127.0.0.1:{stage.backends[0].address[1]}"], [f"127.0.0.1:{stage.target[1]}"],
                  pool=case.pool)
    rig.launch(ini)
    for number in range(6):
        began = time.monotonic()
        caller = Caller(stage.target, key=number, greeted=True)
        caller.call(500)
        took = time.monotonic() - began
        caller.close()
        require(took < 2.0, f"served after {took:.2f} s")
    rows = rig.access(6)
    retried = [row for row in rows if int(row.get("tries", 0)) > 1]
    require(retried, "no session met the silent backend")
    require(all(float(row["connect_ms"]) < 2000 for row in rows), "connect_ms is off")


def connect_timeout_everywhere(rig, case):
    """If no backend answers, the client's connection ends after the timeouts and not later."""
    silent, port = full_backlog(rig), rig.ports.free()
    rig.launch(rig.ini([f"127.0.0.1:{silent[1]}"], [f"127.0.0.1:{port}"], pool=case.pool))
    took = turned_away(("127.0.0.1", port))
    require(0.25 <= took < 2.5, f"ended after {took:.2f} s")
    require(rig.access(1)[0]["end"] == "sC", f"the access log says {rig.access()[0]['end']}")


def all_down(rig, case):
    """If all backends refuse, clients are turned away at once. Both logs report it and name a backend that refused."""
    stage = Stage(rig, case)
    for _ in range(5):
        require(turned_away(stage.target) < 1, "a client had to wait although every backend refuses")
    stage.expect_ends(5)
    for row in rig.access(5):
        require(row["backend"] in ("b0", "b1") and row["addr"].startswith("127.0.0.1:") and row["tries"] == "2", f"not which backend refused: {row}")
    stage.penstock.wait_log(r"was not served by pool main: .* \(2 tried, the last b[01] 127\.0\.0\.1:\d+: ECONNREFUSED\)")


def all_marked_down(rig, case):
    """While health checks find every backend down, clients are turned away at once. When a backend is up again, clients are served."""
    stage = Stage(rig, case)
    stage.penstock.wait_log(r"b0\b.*\bdown")
    stage.penstock.wait_log(r"b1\b.*\bdown")
    stage.penstock.wait_log(r"no backend is usable")  # logged when the workers see it
    require(turned_away(stage.target) < 1, "a client had to wait although every backend is down")
    require(rig.access(1)[0]["end"] == "PC", f"the access log says {rig.access()[0]['end']}")
    address = next(line.split()[3] for line in open(stage.ini) if line.startswith("backend = b1"))
    rig.keep(Backend(("127.0.0.1", int(address.rsplit(":", 1)[1])), "b1", "greet"))
    stage.penstock.wait_log(r"b1\b.*\bup\b")
    wait_for(lambda: served(stage.target), "sessions are served again")
    require(greetings(stage.target, 4) == {"b1": 4}, "not served although b1 is up again")


def down_and_up(rig, case):
    """A backend that fails its check gets no new session, even if it still accepts. It keeps its sessions, and gets new ones when it is up again."""
    checks = [Backend(("127.0.0.1", rig.ports.free()), f"check{number}", "sink") for number in range(2)]
    for check in checks:
        rig.keep(check)
    case = Case(**{**vars(case), "backends": tuple(("greet", f"check_port={check.address[1]}") for check in checks)})
    stage = Stage(rig, case)
    names, held = greetings(stage.target, 4, hold=True)
    require(names == {"b0": 2, "b1": 2}, f"both are up, yet served by {dict(names)}")
    checks[0].close()
    stage.penstock.wait_log(r"b0\b.*\bdown")
    settle(stage.target, ["b1"])
    require(greetings(stage.target, 10) == {"b1": 10}, "a session went to the backend that is down")
    for caller in held:
        caller.call(1000)
    rig.keep(Backend(checks[0].address, "check0", "sink"))
    stage.penstock.wait_log(r"b0\b.*\bup\b")
    settle(stage.target, ["b0", "b1"])
    require(greetings(stage.target, 10)["b0"] == 5, "the backend that came back is not used as before")
    for caller in held:
        caller.call(1000)
        caller.close()


def killed_backend(rig, case):
    """When a backend dies, its sessions end. New sessions go to other backends at once, and none of them fails."""
    stage = Stage(rig, case)
    names, held = greetings(stage.target, 10, hold=True)
    require(set(names) == {"b0", "b1"}, f"served by {dict(names)}")
    stage.backends[0].close(kill=True)
    for caller in held:
        if caller.greeting == "b0":
            caller.ended()
        else:
            caller.call(5000)
    require(greetings(stage.target, 30) == {"b1": 30}, "new clients were not all served by the one that lives")
    for caller in held:
        caller.close()


def weights(rig, case):
    """round_robin gives each backend exactly its share, counted over all workers."""
    names = greetings(Stage(rig, case).target, 40)
    require(names == {"b0": 30, "b1": 10}, f"weights 3 and 1 gave {dict(names)}")


def least_connections(rig, case):
    """least_conn spreads connections that stay open by weight, so that no backend has more than its share."""
    stage = Stage(rig, case)
    names, held = greetings(stage.target, 24, hold=True)
    require(names == {"b0": 8, "b1": 8, "b2": 8}, f"24 held connections are spread {dict(names)}")
    for caller in held:
        if caller.greeting == "b1":
            caller.close()
    wait_for(lambda: stage.backends[1].open_now == 0, "b1 has no connection left")
    wait_for(lambda: len(rig.access()) >= 8, "the 8 sessions are closed")
    more, held_more = greetings(stage.target, 8, hold=True)
    require(more == {"b1": 8}, f"8 new ones did not go to the empty backend but {dict(more)}")
    for caller in held + held_more:
        caller.close()


def two_draws(rig, case):
    """random uses every backend and spreads connections that stay open nearly evenly."""
    names, held = greetings(Stage(rig, case).target, 60, hold=True)
    require(len(names) == 3 and max(names.values()) <= 30, f"60 held connections are spread {dict(names)}")
    for caller in held:
        caller.close()


def source_address_sticks(rig, case):
    """With consistent_hash on source_ip, a client address always gets the same backend. If a backend dies, only its addresses move."""
    stage = Stage(rig, case)

    def map_of():
        return {host: Caller(stage.target, (f"127.0.0.{host}", 0), greeted=True) for host in range(2, 42)}

    def names_of(callers):
        for caller in callers.values():
            caller.close()
        return {host: caller.greeting for host, caller in callers.items()}
    first = names_of(map_of())
    require(names_of(map_of()) == first, "an address changed its backend without cause")
    require(len(set(first.values())) == 3, f"40 addresses met only {set(first.values())}")
    stage.backends[1].close(kill=True)
    after = names_of(map_of())
    moved = {host for host in first if first[host] != after[host]}
    require(moved == {host for host in first if first[host] == "b1"}, f"not exactly the dead one's addresses moved: {moved}")


def source_port_spreads(rig, case):
    """With consistent_hash on source_ip_port, the connections of a client are spread, and the same port gets the same backend."""
    stage = Stage(rig, case)
    seen = {}
    for port in (rig.ports.free() for _ in range(30)):
        caller = Caller(stage.target, ("127.0.0.1", port), greeted=True)
        seen[port] = caller.greeting
        caller.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0, so that the port is free at once
        caller.close()
    require(len(set(seen.values())) == 3, f"30 ports met only {set(seen.values())}")
    for port, name in list(seen.items())[:10]:
        caller = Caller(stage.target, ("127.0.0.1", port), greeted=True)
        require(caller.greeting == name, "a port changed its backend without cause")
        caller.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        caller.close()


def backend_limit(rig, case):
    """max_connections of a backend is never exceeded, counted over all workers. A slot that becomes free is used again."""
    stage = Stage(rig, case)
    lucky, refused = [], 0
    for number in range(12):
        try:
            caller = rig.keep(Caller(stage.target, key=number))
            caller.call(50)
            lucky.append(caller)
        except (OSError, Failure):
            refused += 1
    require(len(lucky) == 6 and refused == 6, f"{len(lucky)} served and {refused} refused, due was 6 and 6")
    require([backend.open_max for backend in stage.backends] == [3, 3], "a backend had more than 3 at once")
    for caller in lucky[:2]:
        caller.close()
    wait_for(lambda: len([row for row in rig.access() if row["end"] == "--"]) >= 2, "two sessions are closed")
    for number in range(2):
        rig.keep(Caller(stage.target, key=50 + number)).call(50)
    for caller in lucky[2:]:
        caller.call(50)
    require(max(backend.open_max for backend in stage.backends) == 3, "a backend had more than 3 at once")


def family_missing(rig, case):
    """If no socket of a backend's family can be opened, only this backend fails. The other backend of its pool serves, and no other client waits."""
    if platform.machine() not in sandbox.SYS_SOCKET:
        raise Skip("not known on this machine")
    good, port, other = rig.keep(Backend(("127.0.0.1", rig.ports.free()))), rig.ports.free(), rig.ports.free()
    ini = rig.write("family.ini", f"""[global]
workers = 2
engine = {rig.engine}
access_log = {rig.access_path}
[listener broken]
bind = 127.0.0.1:{port}
pool = broken
[listener whole]
bind = 127.0.0.1:{other}
pool = whole
[defaults]
check = none
connect_timeout = 30s
[pool broken]
balance = round_robin
backend = six [::1]:9
[pool whole]
balance = round_robin
backend = six [::1]:9
backend = four 127.0.0.1:{good.address[1]}
""")
    rig.launch(ini, block_family=socket.AF_INET6)
    for number in range(6):
        require(turned_away(("127.0.0.1", port)) < 1, "a client had to wait although no backend can be reached")
        Caller(("127.0.0.1", other), key=number, seconds=5).call(100)
    ends = [row["end"] for row in rig.access(12) if row["listener"] == "broken"]
    require(ends == ["SC"] * 6, f"the sessions without a backend ended by {ends}")


def backup(rig, case):
    """A backup serves exactly while no other backend is up."""
    stage = Stage(rig, case)
    require(greetings(stage.target, 6) == {"b0": 6}, "the backup was used although a primary is up")
    stage.backends[0].close(kill=True)
    stage.penstock.wait_log(r"b0\b.*\bdown")
    settle(stage.target, ["b1"])
    require(greetings(stage.target, 6) == {"b1": 6}, "the backup does not serve")
    rig.keep(Backend(stage.backends[0].address, "b0", "greet"))
    stage.penstock.wait_log(r"b0\b.*\bup\b")
    settle(stage.target, ["b0"])
    require(greetings(stage.target, 6) == {"b0": 6}, "the backup is still used")


BALANCED = tuple({"balance": name} for name in ("round_robin", "least_conn", "random", "consistent_hash"))
THREE = ("greet", "greet", "greet")

CASES = (
    *(Case(f"refused-then-next-{pool['balance'].replace('_', '-')}", refused_then_next.__doc__, body=refused_then_next, pool=pool,
           backends=("dead", "dead", "greet"), ways=ENGINES) for pool in BALANCED[:1] + BALANCED[3:]),
    Case("connect-timeout-then-next", connect_timeout_then_next.__doc__, body=connect_timeout_then_next, backends=("greet",),
         pool={"connect_timeout": "300ms", "balance": "round_robin"}, ways=ENGINES),
    Case("connect-timeout-everywhere", connect_timeout_everywhere.__doc__, body=connect_timeout_everywhere,
         pool={"connect_timeout": "300ms"}, ways=ENGINES),
    Case("all-refuse", all_down.__doc__, body=all_down, backends=("dead", "dead"), ends=("SC",)),
    Case("all-marked-down", all_marked_down.__doc__, body=all_marked_down, backends=("dead", "dead"), pool=CHECKED, ways=ENGINES),
    Case("down-gets-nothing-new-and-comes-back", down_and_up.__doc__, body=down_and_up, ways=ENGINES,
         pool={**CHECKED, "balance": "round_robin"}),
    Case("backend-killed-under-sessions", killed_backend.__doc__, body=killed_backend, backends=("greet", "greet"), ways=EACH),
    Case("weights-round-robin", weights.__doc__, body=weights, backends=(("greet", "weight=3"), ("greet", "weight=1")),
         pool=BALANCED[0], ways=ENGINES),
    Case("least-conn-spreads-held-connections", least_connections.__doc__, body=least_connections, backends=THREE,
         pool=BALANCED[1], ways=ENGINES),
    Case("random-spreads", two_draws.__doc__, body=two_draws, backends=THREE, pool=BALANCED[2], ways=ENGINES),
    Case("hash-source-address-sticks", source_address_sticks.__doc__, body=source_address_sticks, backends=THREE, ways=ENGINES,
         pool=BALANCED[3]),
    Case("hash-source-port-spreads", source_port_spreads.__doc__, body=source_port_spreads, backends=THREE, ways=ENGINES,
         pool={**BALANCED[3], "hash_key": "source_ip_port"}),
    *(Case(f"backend-limit-{pool['balance'].replace('_', '-')}", backend_limit.__doc__, body=backend_limit, pool=pool, ways=ENGINES,
           backends=(("echo", "max_connections=3"),) * 2) for pool in BALANCED),
    Case("family-missing", family_missing.__doc__, body=family_missing, ways=ENGINES),
    Case("backup-only-when-needed", backup.__doc__, body=backup, backends=("greet", ("greet", "backup")), pool=CHECKED, ways=ENGINES),
)
