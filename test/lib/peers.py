"""Clients and servers of the tests that follow a script: a list of steps, each a tuple of a verb and its arguments.

Both ends of a dialogue know both streams, so that every received byte is checked where it arrives."""
import contextlib
import errno
import random
import select
import socket
import struct
import threading
import time

from pattern import Stream
from rig import Failure, require

CHUNK = 1 << 17


def connect(address, source=None, seconds=10.0):
    """Returns a stream socket connected to (host, port) or to the path of a UNIX socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(source)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def listen(address, backlog=1024, seconds=10.0):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.listen(backlog)
    sock.settimeout(seconds)
    return sock


def reset(sock):
    """Closes the socket with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Servers:
    """Listeners on free ports; _serve(connection, number) of a subclass runs in a thread for each connection of listener `number`."""

    def __init__(self, rig, count):
        self.ports = []
        for number in range(count):
            listener = rig.keep(listen(("127.0.0.1", rig.ports.free()), 64, seconds=None))
            self.ports.append(listener.getsockname()[1])
            threading.Thread(target=self._accept, args=(listener, number), daemon=True).start()

    def _accept(self, listener, number):
        with contextlib.suppress(OSError):  # the listener is closed at the end of the case
            while True:
                threading.Thread(target=self._serve, args=(listener.accept()[0], number), daemon=True).start()


class Peer:
    """One end of a connection. `mine` is the stream it sends, `theirs` the one it expects."""

    def __init__(self, sock, mine, theirs, signals, seconds):
        self.sock, self.mine, self.theirs = sock, Stream(mine), Stream(theirs)
        self.signals, self.seconds = signals, seconds
        self.buffer = bytearray(CHUNK)
        sock.settimeout(seconds)

    def _check(self, count):
        require(self.theirs.matches(memoryview(self.buffer)[:count]),
                f"wrong byte at or after position {self.theirs.position} of {count} received")

    # -- the verbs of a script --

    def send(self, count):
        while count:
            sent = self.sock.send(self.mine.peek(count))
            self.mine.position += sent
            count -= sent

    def recv(self, count):
        while count:
            got = self.sock.recv_into(self.buffer, min(count, CHUNK))
            require(got, f"end of stream at {self.theirs.position}, {count} bytes are missing")
            self._check(got)
            count -= got

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def expect_fin(self):
        require(self.sock.recv_into(self.buffer, 1) == 0, "a byte came where the end of the stream was due")

    def close(self):
        self.sock.close()

    def reset(self):
        reset(self.sock)

    def expect_reset(self):
        """Reads and checks the bytes that arrived before the end; the end must be ECONNRESET, not FIN."""
        try:
            while True:
                got = self.sock.recv_into(self.buffer)
                require(got, "the stream ended with FIN where a reset was due")
                self._check(got)
        except ConnectionResetError:
            pass

    def expect_reset_unread(self):
        """Waits for a reset without reading: it must show as an error condition on the socket."""
        poll = select.poll()
        poll.register(self.sock, 0)
        require(poll.poll(self.seconds * 1000), "no reset arrived at an end that does not read")
        require(self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET, "not ECONNRESET")

    def expect_broken(self):
        """Expects the other side to close at once, with FIN or RST."""
        try:
            require(self.sock.recv_into(self.buffer) == 0, "a byte came where the connection was to end")
        except ConnectionResetError:
            pass

    def fill(self):
        """Sends until the socket stays full for 0.4 s, because the other end does not read."""
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        while poll.poll(400):
            self.mine.position += self.sock.send(self.mine.peek(CHUNK), socket.MSG_DONTWAIT)

    def tell(self, name):
        self.signals.setdefault(name, threading.Event()).set()

    def wait(self, name):
        require(self.signals.setdefault(name, threading.Event()).wait(self.seconds), f"'{name}' was never told")

    def both(self, send, receive, seed=None):
        """Sends and receives at the same time. With a seed, writes have random sizes and random pauses."""
        chance = random.Random(seed) if seed is not None else None
        poll = select.poll()
        end = time.monotonic() + self.seconds
        due, size = 0.0, 0
        while send or receive:
            now = time.monotonic()
            require(now < end, f"stuck with {send} bytes to send and {receive} to receive")
            want_write = send and now >= due
            poll.register(self.sock, (select.POLLIN if receive else 0) | (select.POLLOUT if want_write else 0))
            events = poll.poll(max(1, (due - now) * 1000) if send and not want_write else 1000)
            mask = events[0][1] if events else 0
            if mask & select.POLLIN and receive:
                got = self.sock.recv_into(self.buffer, min(receive, CHUNK), socket.MSG_DONTWAIT)
                require(got, f"end of stream, {receive} bytes are missing")
                self._check(got)
                receive -= got
            elif mask & (select.POLLERR | select.POLLHUP) and not mask & select.POLLIN:
                raise Failure(f"the connection broke with {send} bytes to send and {receive} to receive")
            if mask & select.POLLOUT and want_write:
                size = size or (chance.choice((1, 17, 700, 4096, 30000, 70000)) if chance else CHUNK)
                sent = self.sock.send(self.mine.peek(min(size, send)), socket.MSG_DONTWAIT)
                self.mine.position += sent
                send -= sent
                size = size - sent if chance else 0
                if chance and size <= 0:
                    size, due = 0, now + chance.choice((0, 0, 0, 0.0005, 0.003))

    def play(self, script):
        for verb, *arguments in script:
            getattr(self, verb)(*arguments)


class _End(threading.Thread):
    """A script that runs concurrently with another one."""

    def __init__(self, script, make_peer):
        super().__init__(daemon=True)
        self.script, self.make_peer, self.error = script, make_peer, None
        self.start()

    def run(self):
        peer = None
        try:
            peer = self.make_peer()
            peer.play(self.script)
        except BaseException as error:
            self.error = error
        finally:
            if peer:
                peer.sock.close()


def dialogue(target, listener, client, server, key=0, seconds=20.0):
    """Connects to `target`, accepts the connection at `listener`, and runs the scripts of both ends to their end."""
    signals = {}
    answer = _End(server, lambda: Peer(listener.accept()[0], f"s{key}", f"c{key}", signals, seconds))
    call = _End(client, lambda: Peer(connect(target), f"c{key}", f"s{key}", signals, seconds))
    end = time.monotonic() + seconds + 2
    for side in (call, answer):
        side.join(max(0.1, end - time.monotonic()))
    errors = [f"{name} of dialogue {key}: {side.error!r}" if side.error else f"{name} of dialogue {key} hangs"
              for name, side in (("client", call), ("server", answer)) if side.error or side.is_alive()]
    require(not errors, "; ".join(errors))


def turned_away(target, seconds=10.0):
    """Connects and waits for the end of the connection, which must come without a byte. Returns the seconds until it came."""
    began = time.monotonic()
    try:
        caller = Caller(target, seconds=seconds)
        caller.ended()
        caller.close()
    except ConnectionResetError:
        pass  # the reset arrived before connect() returned
    return time.monotonic() - began


class Caller:
    """A client that calls an echo backend from time to time and checks the answers."""

    def __init__(self, target, source=None, key=1, greeted=False, seconds=10.0):
        self.sock = connect(target, source, seconds)
        self.stream, self.expected = Stream(f"call{key}"), Stream(f"call{key}")
        self.greeting = self._line() if greeted else None

    def _line(self):
        text = b""
        while not text.endswith(b"\n"):
            byte = self.sock.recv(1)
            require(byte, "the connection ended before the backend said its name")
            text += byte
        return text.decode().strip()

    def call(self, count=100):
        self.sock.sendall(self.stream.take(count))
        while count:
            got = self.sock.recv(count)
            require(got, "the connection ended in mid-call")
            require(self.expected.matches(got), "wrong bytes came back")
            count -= len(got)

    def ended(self):
        """Waits for FIN or RST and returns which one it was."""
        try:
            require(self.sock.recv(1) == b"", "a byte came where the connection was to end")
            return "fin"
        except ConnectionResetError:
            return "reset"

    def silent(self, seconds):
        """Whether nothing arrives for this time, not even the end of the connection."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(seconds * 1000)

    def close(self):
        self.sock.close()
