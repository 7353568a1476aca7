"""UDP clients and servers of the tests."""
import errno
import select
import socket
import struct
import threading
import time

from rig import Failure, PortTaken, require

UDP_SEGMENT, UDP_GRO = 103, 104     # linux/udp.h; not in the socket module
DATAGRAM_MAX = 65507


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def datagram_socket(address=None, host="127.0.0.1", buffer=4 << 20):
    """Returns a UDP socket, bound to the address if there is one. Its buffers take bursts."""
    sock = socket.socket(family_of(address[0] if address else host), socket.SOCK_DGRAM)
    for force, plain in ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF)):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE need a privilege
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, buffer)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, plain, buffer)
    try:
        if address:
            sock.bind(address)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:  # another case's process has taken a port that was free before
            raise PortTaken(str(address)) from None
        raise
    return sock


def send_train(sock, datagrams, to):
    """Sends datagrams of one size, the last of which may be shorter, with one call (UDP_SEGMENT)."""
    sock.sendmsg([b"".join(datagrams)], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", len(datagrams[0])))], 0, to)


class UdpServer:
    """A server in a thread. `answers(data, peer)` returns the datagrams that it sends back; by default it is an echo. With `gro`, it receives trains, takes
    them apart, and sends answers of one size as a train. It keeps what it received in `received`, as (data, peer), if `keep`, and
    the size of each piece and of its datagrams in `pieces`."""

    def __init__(self, address, name="", answers=None, gro=False, keep=False):
        self.name, self.address, self.keep, self.gro = name, address, keep, gro
        self.answers = answers or (lambda data, peer: [data])
        self.count, self.received, self.peers, self.pieces = 0, [], set(), []
        self.sock = datagram_socket(address)
        if gro:
            self.sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        self.wake_reader, self.wake_writer = socket.socketpair()
        self.closed = False
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def _loop(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(self.wake_reader, select.POLLIN)
        while not any(fd == self.wake_reader.fileno() for fd, _ in poll.poll()):
            try:
                while True:
                    self._serve()
            except BlockingIOError:
                pass
        self.sock.close()

    def _serve(self):
        data, controls, _, peer = self.sock.recvmsg(70000, 64, socket.MSG_DONTWAIT)
        size = len(data)
        for level, kind, value in controls:
            if level == socket.IPPROTO_UDP and kind == UDP_GRO:
                size = struct.unpack("i", value[:4])[0]
        answers = []
        self.pieces.append((len(data), size))
        for start in range(0, max(len(data), 1), max(size, 1)):
            answers += self._take(data[start:start + size], peer)
        if len(answers) > 1 and self.gro and len({len(answer) for answer in answers[:-1]}) == 1 and len(answers[-1]) <= len(answers[0]):
            send_train(self.sock, answers, peer)
        else:
            for answer in answers:
                self.sock.sendto(answer, peer)

    def _take(self, data, peer):
        self.count += 1
        self.peers.add(peer)
        if self.keep:
            self.received.append((data, peer))
        return self.answers(data, peer)

    def close(self):
        """Closes its socket, so that the kernel answers further datagrams with an ICMP error, as when a process was killed."""
        if not self.closed:
            self.closed = True
            self.wake_writer.send(b"x")
            self.thread.join(10)
            self.wake_reader.close()
            self.wake_writer.close()


def naming(name):
    """Answers of a server that puts its name before what it received."""
    return lambda data, peer: [name.encode() + b" " + data]


class UdpClient:
    """A client that is bound to a port, and checks that each reply comes from the address to which it has sent."""

    def __init__(self, target, source=None, seconds=5.0):
        self.target, self.seconds, self.turn = target, seconds, 0
        self.sock = datagram_socket(source, target[0])
        if not source:
            self.sock.bind(("::1" if ":" in target[0] else "127.0.0.1", 0))

    def send(self, data):
        self.sock.sendto(data, self.target)

    def receive(self, seconds=None):
        """Returns the next datagram, or None if none arrives in time."""
        if not select.select([self.sock], [], [], self.seconds if seconds is None else seconds)[0]:
            return None
        data, peer = self.sock.recvfrom(70000)
        require(peer[:2] == tuple(self.target[:2]), f"a reply came from {peer} instead of {self.target}")
        return data

    def ask(self, data=None):
        """Sends a datagram and returns the reply."""
        self.turn += 1
        self.send(b"%d" % self.turn if data is None else data)
        reply = self.receive()
        require(reply is not None, f"no reply within {self.seconds} s")
        return reply

    def asked(self, data=None):
        """Sends a datagram; the reply must be the same."""
        self.turn += 1
        data = b"%d" % self.turn if data is None else data
        reply = self.ask(data)
        require(reply == data, f"another datagram came back: {len(reply)} bytes instead of {len(data)}")

    def who(self):
        """Returns the name of the server that answers (naming())."""
        return self.ask().split()[0].decode()

    def retry(self, seconds=10.0):
        """Sends until a reply comes, and returns it: for the time during which a datagram may be lost."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(b"again")
            reply = self.receive(0.1)
            if reply is not None:
                return reply
        raise Failure(f"no reply for {seconds} s")

    def silent(self, seconds=0.2):
        """Requires that nothing arrives."""
        reply = self.receive(seconds)
        require(reply is None, f"a datagram came where none was due: {reply!r:.60}")

    def drain(self, count, seconds=5.0):
        """Receives `count` datagrams, or as many as arrive in time."""
        end, got = time.monotonic() + seconds, []
        while len(got) < count:
            data = self.receive(max(0, end - time.monotonic()))
            if data is None:
                break
            got.append(data)
        return got

    def close(self):
        self.sock.close()
