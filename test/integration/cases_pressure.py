"""Slow, silent and hostile peers. Memory stays bounded, and timeouts fire when they are due and not before."""
import os
import random
import socket
import threading
import time

from backends import Crowd
from case import EACH, ENGINES, Case, Stage
from peers import Caller, Peer, connect, reset
from rig import Failure, holds_for, require, settled, wait_for

MB = 1 << 20
LOG_RECORDS = 4096  # capacity of the log's ring; the memory of a record is allocated when it is first used


def memory_must_stay(rig, penstock, before_kb, growth_mb):
    grown = (penstock.rss_kb() - before_kb) / 1024
    require(rig.sanitized or grown <= growth_mb, f"memory grew by {grown:.1f} MB, at most {growth_mb} MB is due")


def settled_kb(penstock):
    """Returns the memory in kB when it no longer changes. Workers free half of their empty chunks twice a second."""
    return settled(penstock.rss_kb, "memory settles", 1.2)


def warm(stage):
    """Opens a few sessions, so that penstock allocates the memory that it needs for its first ones."""
    for number in range(4):
        caller = Caller(stage.target, key=number)
        caller.sock.close()


def slow_reader(reader):
    def body(rig, case):
        """One end stops reading while the other sends 100 MB. Then it reads and checks every byte."""
        stage = Stage(rig, case)
        client = connect(stage.target, seconds=40)
        server, _ = stage.scripted.accept()
        ends = {"client": Peer(client, "c", "s", {}, 40), "server": Peer(server, "s", "c", {}, 40)}
        slow, fast = ends[reader], ends["server" if reader == "client" else "client"]
        before = stage.penstock.rss_kb()
        fast.fill()
        require(fast.mine.position < 60 * MB, f"{fast.mine.position} bytes went into buffers: back-pressure does not reach the sender")
        memory_must_stay(rig, stage.penstock, before, 4)
        total = 100 * MB - fast.mine.position
        errors = []

        def send_rest():
            try:
                fast.send(total)
                fast.fin()
            except OSError as error:
                errors.append(error)
        sender = threading.Thread(target=send_rest, daemon=True)
        sender.start()
        slow.recv(100 * MB)
        slow.expect_fin()
        sender.join(10)
        require(not errors and not sender.is_alive(), f"the sender: {errors}")
        memory_must_stay(rig, stage.penstock, before, 6)
        client.close()
        server.close()
    return body


def many_slow_readers(count, half_closed):
    def body(rig, case):
        """A backend floods clients that do not read. Memory stays bounded, and no thread is busy while it waits for them."""
        stage = Stage(rig, case)
        penstock = stage.penstock
        before, threads = penstock.rss_kb(), penstock.threads()
        clients = [rig.keep(connect(stage.target)) for _ in range(count)]
        if half_closed:
            for client in clients:
                client.shutdown(socket.SHUT_WR)
        sent = lambda: sum(stream.position for stream in stage.backends[0].streams.values())
        wait_for(lambda: len(stage.backends[0].streams) == count, "all are connected")
        settled(sent, "the flood stands still", 0.3, 25)
        memory_must_stay(rig, penstock, before, 32)
        penstock.must_rest(0.2, "penstock is busy while nobody reads", 0.5)
        require(penstock.threads() == threads, f"the kernel needs {penstock.threads() - threads} threads to wait")
        for number in (0, count // 3, count - 1):
            Peer(clients[number], "c", "source", {}, 10).recv(2 * MB)
    return body


def idle_timeout(rig, case):
    """A connection on which no bytes move ends after idle_timeout, and a connection in use does not."""
    stage = Stage(rig, case)
    idle, used = rig.keep(Caller(stage.target, key=1)), rig.keep(Caller(stage.target, key=2))
    began = time.monotonic()
    idle.call(10)
    while time.monotonic() - began < 0.7:
        used.call(10)
        time.sleep(0.05)
    require(idle.silent(0), "closed before idle_timeout")
    keep = threading.Event()

    def use():
        while not keep.wait(0.05):
            used.call(10)
    user = threading.Thread(target=use, daemon=True)
    user.start()
    require(idle.ended() == "fin", "a reset, although nothing was cut short")
    took = time.monotonic() - began
    require(0.95 <= took < 2.5, f"closed after {took:.2f} s instead of 1 s")
    keep.set()
    user.join()
    used.call(10)
    rows = rig.access(1)
    require(rows[0].get("end") in ("cD", "sD"), f"the access log calls it {rows[0].get('end')}")


def idle_on_a_quiet_worker(rig, case):
    """Idle time counts from the last byte, even if the worker has no event between it and the timer: three times a session that is alone on its worker."""
    stage = Stage(rig, case)
    for key in range(3):
        caller = rig.keep(Caller(stage.target, key=key))
        caller.call(10)
        began = time.monotonic()
        caller.ended()
        took = time.monotonic() - began
        require(1.9 <= took < 2.7, f"closed after {took:.2f} s instead of 2 s")
        caller.close()
        stage.penstock.sessions_gone()


def never_sends(rig, case):
    """A client that connects and sends nothing is closed after idle_timeout."""
    stage = Stage(rig, case)
    began = time.monotonic()
    callers = [rig.keep(Caller(stage.target, key=number)) for number in range(5)]
    for caller in callers:
        caller.ended()
    took = time.monotonic() - began
    require(0.95 <= took < 2.5, f"closed after {took:.2f} s instead of 1 s")
    stage.expect_ends(5)


def half_close_timeout(rig, case):
    """A half-closed connection whose open direction is idle ends after half_close_timeout. An answer that is cut short is reset."""
    stage = Stage(rig, case)
    client = connect(stage.target)
    server, _ = stage.scripted.accept()
    Peer(client, "c", "s", {}, 10).send(10)
    client.shutdown(socket.SHUT_WR)
    peer = Peer(server, "s", "c", {}, 10)
    peer.recv(10)
    peer.expect_fin()
    peer.send(5000)
    began = time.monotonic()
    Peer(client, "c", "s", {}, 10).expect_reset()
    took = time.monotonic() - began
    require(0.9 <= took < 2.5, f"closed after {took:.2f} s instead of 1 s")
    wait_for(lambda: rig.main.sockets() <= rig.main.sockets_at_start, "the backend's side is closed too")
    client.close()
    server.close()
    require(rig.access(1)[0]["end"] in ("cD", "sD"), f"the access log calls it {rig.access()[0]['end']}")


def mute_backend(rig, case):
    """For a backend that accepts but neither reads nor answers, bytes are held, memory does not grow, and idle_timeout ends the session."""
    stage = Stage(rig, case)
    before = stage.penstock.rss_kb()
    client = connect(stage.target)
    peer = Peer(client, "c", "s", {}, 10)
    peer.fill()
    memory_must_stay(rig, stage.penstock, before, 4)
    peer.expect_broken()
    client.close()
    stage.expect_ends(1)


def hostile_crowd(rig, case):
    """3000 clients send garbage, close early, reset, or neither read nor write. A well-behaved client is not affected."""
    stage = Stage(rig, case)
    stop, calls, trouble = threading.Event(), [0], []

    def good():
        try:
            caller = Caller(stage.target, key=99)
            while not stop.is_set():
                caller.call(300)
                calls[0] += 1
                fresh = Caller(stage.target, key=calls[0])
                fresh.call(50)
                fresh.close()
            caller.close()
        except (OSError, Failure) as error:
            trouble.append(repr(error))
    friend = threading.Thread(target=good, daemon=True)
    friend.start()
    before, chance, open_ones = stage.penstock.rss_kb(), random.Random(7), []
    garbage = os.urandom(30000)
    for number in range(3000):
        sock = connect(stage.target)
        what = number % 5
        if what in (0, 1):
            sock.setblocking(False)
            try:
                sock.send(garbage[:chance.randrange(1, 30000)])
            except BlockingIOError:
                pass
        if what == 0:
            reset(sock)
        elif what == 2:
            sock.close()
        elif what == 3:
            sock.shutdown(socket.SHUT_WR)
            open_ones.append(sock)
        else:
            open_ones.append(sock)
        while len(open_ones) > 1500:
            open_ones.pop(0).close()
    wait_for(lambda now=calls[0]: calls[0] > now + 20 or trouble, "the good client goes on", 10)
    memory_must_stay(rig, stage.penstock, before, 64)
    for sock in open_ones:
        reset(sock)
    stop.set()
    friend.join(10)
    require(not trouble and not friend.is_alive(), f"the good client: {trouble or 'hangs'}")


def fair_to_small_ones(rig, case):
    """Bulk transfers do not starve short calls on the same worker."""
    stage = Stage(rig, case)
    bulk = Crowd(stage.target, 4, 200 * MB)
    stopped = threading.Event()
    runner = threading.Thread(target=lambda: bulk.run(lambda crowd: stopped.is_set() or crowd.failed, 20), daemon=True)
    runner.start()
    caller = rig.keep(Caller(stage.target, key=5))
    times = []
    for _ in range(60):
        began = time.monotonic()
        caller.call(100)
        times.append(time.monotonic() - began)
    stopped.set()
    runner.join(10)
    require(not bulk.failed, f"bulk failed: {bulk.failed}")
    bulk.close()
    worst = sorted(times)[-3]
    require(worst < 1.0, f"a short call took {worst * 1000:.0f} ms beside bulk")


def idle_costs_nothing(rig, case):
    """400 idle connections cost no CPU time and little memory."""
    stage = Stage(rig, case)
    warm(stage)
    before = stage.penstock.rss_kb()
    crowd = rig.keep(Crowd(stage.target, 400, 64, hold=True))
    crowd.finish()
    memory_must_stay(rig, stage.penstock, before, 12)
    stage.penstock.must_rest(0.1, "idle connections cost CPU")


def fill_and_empty(rig, case):
    """300 sessions open and close, again and again. After every record of the log's ring has been used, memory and descriptors return to the same level."""
    stage, levels = Stage(rig, case), []
    rounds_of_the_ring = LOG_RECORDS // 300 + 1
    for _ in range(rounds_of_the_ring + 5):
        crowd = Crowd(stage.target, 300, 20000, hold=True)
        crowd.finish()
        crowd.close()
        stage.penstock.sessions_gone()
        levels.append(settled_kb(stage.penstock) if len(levels) == rounds_of_the_ring else stage.penstock.rss_kb())
    grown_kb = settled_kb(stage.penstock) - levels[rounds_of_the_ring]
    require(rig.sanitized or grown_kb < 2048, f"memory grew by {grown_kb} kB in 4 rounds; it was in kB after each: {levels}")


def crowd_is_gone(count, deaf):
    def body(rig, case):
        """A crowd of clients connects and closes. At least three quarters of its memory is freed without any further event."""
        stage = Stage(rig, case)
        warm(stage)
        before = stage.penstock.rss_kb()
        if deaf:
            clients = [connect(stage.target) for _ in range(count)]
            wait_for(lambda: stage.penstock.rss_kb() > before + count * 16 or rig.sanitized, "what they do not read is held")
        else:
            crowd = Crowd(stage.target, count, 64, hold=True)
            crowd.finish()
            clients = [crowd]
        full = stage.penstock.rss_kb()
        for client in clients:
            client.close()
        stage.penstock.sessions_gone()
        wait_for(lambda: rig.sanitized or stage.penstock.rss_kb() - before <= (full - before) / 4, f"memory comes back from {full} kB to about {before} kB")
        stage.penstock.must_rest(0.05, "looking after memory costs CPU")
    return body


CASES = (
    Case("slow-client-100mb", slow_reader("client").__doc__, body=slow_reader("client"), seconds=60),
    Case("slow-server-100mb", slow_reader("server").__doc__, body=slow_reader("server"), seconds=60),
    Case("slow-readers-200", many_slow_readers(200, False).__doc__, body=many_slow_readers(200, False), backends=("source",), seconds=60),
    Case("slow-readers-half-closed", "As slow-readers-200, and they have said that they send no more.", body=many_slow_readers(30, True), backends=("source",),
         seconds=60),
    Case("idle-timeout", idle_timeout.__doc__, body=idle_timeout, backends=("echo",), pool={"idle_timeout": "1s"}),
    Case("idle-timeout-quiet-worker", idle_on_a_quiet_worker.__doc__, body=idle_on_a_quiet_worker, backends=("echo",), glob={"workers": 1},
         pool={"idle_timeout": "2s"}, ways=ENGINES),
    Case("client-never-sends", never_sends.__doc__, body=never_sends, backends=("echo",), pool={"idle_timeout": "1s"},
         ends=("cD", "sD"), ways=ENGINES),
    Case("half-close-timeout", half_close_timeout.__doc__, body=half_close_timeout, pool={"half_close_timeout": "1s"}),
    Case("backend-never-answers", mute_backend.__doc__, body=mute_backend, backends=("mute",), pool={"idle_timeout": "3s"},
         ends=("sD", "cD")),
    Case("hostile-crowd", hostile_crowd.__doc__, body=hostile_crowd, backends=("echo",), seconds=60),
    Case("bulk-does-not-starve-calls", fair_to_small_ones.__doc__, body=fair_to_small_ones, backends=("echo",),
         glob={"workers": 1}, seconds=45),
    Case("idle-connections-cost-nothing", idle_costs_nothing.__doc__, body=idle_costs_nothing, backends=("echo",), ways=ENGINES),
    Case("memory-after-a-crowd", crowd_is_gone(3000, False).__doc__, body=crowd_is_gone(3000, False), backends=("echo",), glob={"access_log": None},
         ways=ENGINES, seconds=60),
    Case("memory-after-slow-readers", crowd_is_gone(200, True).__doc__, body=crowd_is_gone(200, True), backends=("source",), glob={"access_log": None},
         pool={"splice": "never"}, ways=ENGINES, seconds=60),
    Case("memory-comes-back", fill_and_empty.__doc__, body=fill_and_empty, backends=("echo",), ways=EACH, seconds=45),
)
