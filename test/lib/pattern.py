"""The bytes that tests send. Every connection and direction has its own stream, and every position can be checked.

The period is a prime above a million, so a block that is lost, repeated, moved or taken from another connection never matches by chance."""
import random
import zlib

PERIOD = 1048573
SLICE_MAX = 1 << 18
_table = random.Random(20).randbytes(PERIOD)
_view = memoryview(_table + _table[:SLICE_MAX])


class Stream:
    def __init__(self, key):
        self.start = zlib.crc32(str(key).encode()) % PERIOD
        self.position = 0

    def peek(self, count):
        """Returns the next bytes, at most SLICE_MAX of them, without advancing."""
        at = (self.start + self.position) % PERIOD
        return _view[at:at + min(count, SLICE_MAX)]

    def take(self, count):
        """Returns the next `count` bytes, without a limit, and advances."""
        parts = []
        while count:
            parts.append(bytes(self.peek(count)))
            self.position += len(parts[-1])
            count -= len(parts[-1])
        return b"".join(parts)

    def matches(self, data):
        """Whether `data` equals the next bytes. Advances if it does."""
        for at in range(0, len(data), SLICE_MAX):
            part = data[at:at + SLICE_MAX]
            if self.peek(len(part)) != part:
                return False
            self.position += len(part)
        return True
