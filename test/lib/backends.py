"""Servers, and groups of clients, for many simultaneous connections. Each uses one thread and one selector."""
import selectors
import socket
import threading
import time

from pattern import Stream
from peers import connect, listen, reset
from rig import require


class Backend:
    """A server in a thread. Modes: echo; greet (sends its name and a newline, then echoes); sink (reads, never answers);
    mute (accepts, never reads); source (sends its stream for ever, reads nothing); drop (closes at once); hang-up and reset
    (read something, then close or reset)."""

    def __init__(self, address, name="", mode="echo"):
        self.name, self.mode, self.address = name, mode, address
        self.accepted = self.open_now = self.open_max = self.bytes_in = 0
        self.listener = None
        self.pending, self.streams = {}, {}
        self.selector = selectors.DefaultSelector()
        self.wake_reader, self.wake_writer = socket.socketpair()
        self.selector.register(self.wake_reader, selectors.EVENT_READ)
        self.stopping = threading.Event()
        self.killed = False
        self._listen()
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def _listen(self):
        self.listener = listen(self.address, 4096)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def _loop(self):
        while not self.stopping.is_set():
            for key, mask in self.selector.select(1):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj is not self.wake_reader:
                    self._serve(key.fileobj, mask)
        self.listener.close()
        for sock in list(self.pending):
            reset(sock) if self.killed else sock.close()
        self.selector.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            self.accepted += 1
            if self.mode == "drop":
                sock.close()
                continue
            self.open_now += 1
            self.open_max = max(self.open_max, self.open_now)
            self.pending[sock] = bytearray()
            if self.mode == "greet":
                self.pending[sock] += f"{self.name}\n".encode()
            if self.mode == "source":
                self.streams[sock] = Stream("source")
            wanted = {"mute": 0, "source": selectors.EVENT_WRITE}.get(self.mode, selectors.EVENT_READ)
            if wanted:
                self.selector.register(sock, wanted)
            if self.mode == "greet":
                self._flush(sock)

    def _forget(self, sock, by_reset=False):
        self.open_now -= 1
        del self.pending[sock]
        self.selector.unregister(sock)
        reset(sock) if by_reset else sock.close()

    def _serve(self, sock, mask):
        try:
            if self.mode == "source":
                stream = self.streams[sock]
                stream.position += sock.send(stream.peek(1 << 16))
                return
            if mask & selectors.EVENT_READ:
                data = sock.recv(1 << 17)
                if not data:
                    return self._forget(sock)
                self.bytes_in += len(data)
                if self.mode in ("hang-up", "reset"):
                    return self._forget(sock, self.mode == "reset")
                if self.mode != "sink":
                    self.pending[sock] += data
            self._flush(sock)
        except BlockingIOError:
            pass
        except OSError:
            self._forget(sock)

    def _flush(self, sock):
        waiting = self.pending[sock]
        if waiting:
            try:
                del waiting[:sock.send(waiting)]
            except BlockingIOError:
                pass
        self.selector.modify(sock, (selectors.EVENT_WRITE if waiting else 0) |
                             (selectors.EVENT_READ if len(waiting) < 1 << 20 else 0))

    def close(self, kill=False):
        """Stops the server. With `kill`, its connections are reset, as when a process with unread data dies."""
        if not self.stopping.is_set():
            self.killed = kill
            self.stopping.set()
            self.wake_writer.send(b"x")
            self.thread.join(10)
            self.wake_reader.close()
            self.wake_writer.close()


class Crowd:
    """`count` simultaneous clients of an echo backend. Each sends `size` bytes of its own stream and receives them back."""

    def __init__(self, target, count, size, hold=False):
        self.hold = hold          # clients that are done stay connected until close()
        self.size = size
        self.selector = selectors.DefaultSelector()
        self.done, self.failed, self.waiting = [], [], {}
        for number in range(count):
            self._join(target, number)

    def _join(self, target, number):
        sock = connect(target)
        sock.setblocking(False)
        self.waiting[sock] = {"out": Stream(f"crowd{number}"), "in": Stream(f"crowd{number}")}
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _leave(self, sock, error=None):
        self.selector.unregister(sock)
        del self.waiting[sock]
        if error:
            self.failed.append(error)
            sock.close()
        elif self.hold:
            self.done.append(sock)
        else:
            self.done.append(None)
            sock.close()

    def _step(self, sock, mask):
        row = self.waiting[sock]
        try:
            if mask & selectors.EVENT_WRITE:
                left = self.size - row["out"].position
                row["out"].position += sock.send(row["out"].peek(min(left, 1 << 16)))
                if row["out"].position == self.size:
                    self.selector.modify(sock, selectors.EVENT_READ)
            if mask & selectors.EVENT_READ:
                data = sock.recv(1 << 17)
                if not data:
                    return self._leave(sock, f"closed after {row['in'].position} bytes")
                if not row["in"].matches(data):
                    return self._leave(sock, f"wrong bytes after {row['in'].position}")
                if row["in"].position == self.size:
                    self._leave(sock)
        except BlockingIOError:
            pass
        except OSError as error:
            self._leave(sock, f"{error} after {row['in'].position} bytes")

    def run(self, until, seconds):
        """Runs the clients until `until(self)` is true or the time is over. Returns whether it was true."""
        end = time.monotonic() + seconds
        while not until(self):
            if time.monotonic() > end:
                return False
            for key, mask in self.selector.select(0.05):
                if key.fileobj in self.waiting:
                    self._step(key.fileobj, mask)
        return True

    def finish(self, seconds=30.0):
        """Runs the clients until all are served. Requires that none fails."""
        finished = self.run(lambda crowd: not crowd.waiting, seconds)
        require(not self.failed, f"{len(self.failed)} of a crowd failed, the first: {self.failed[:1]}")
        require(finished, f"{len(self.waiting)} of a crowd still wait after {seconds:g} s, {len(self.done)} are done")

    def release(self, count):
        """Closes `count` of the clients that are done and still connected."""
        kept = [at for at, sock in enumerate(self.done) if sock is not None][:count]
        require(len(kept) == count, "not that many are connected")
        for at in kept:
            self.done[at].close()
            self.done[at] = None

    def close(self):
        for sock in list(self.waiting) + [sock for sock in self.done if sock]:
            sock.close()
        self.waiting = {}
        self.selector.close()
