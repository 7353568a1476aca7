"""Preparations of a child process before it executes penstock: give up root, forbid io_uring, die with the test.

All functions run between fork and exec, so they use plain system calls through ctypes."""
import ctypes
import errno
import os
import platform
import signal
import struct
import subprocess

NOBODY = 65534
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 38, 22
SECCOMP_MODE_FILTER = 2
# io_uring_setup has one number on every architecture (asm-generic/unistd.h).
SYS_IO_URING_SETUP = 425
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
# Instructions of classic BPF (linux/filter.h, linux/seccomp.h): load, compare, return.
LOAD, JUMP_EQUAL, ANSWER = 0x20, 0x15, 0x06
# Offsets in struct seccomp_data. That of an argument is the offset of its low half on a little-endian machine.
CALL_NUMBER, FIRST_ARGUMENT = 0, 16
SYS_SOCKET = {"x86_64": 41, "aarch64": 198}
ALLOW, ERRNO = 0x7fff0000, 0x00050000

libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def forbid_io_uring(errno_answer):
    """Makes io_uring_setup fail with this errno, as in a container with a strict profile."""
    install((
        (LOAD, 0, 0, CALL_NUMBER),
        (JUMP_EQUAL, 0, 1, SYS_IO_URING_SETUP),
        (ANSWER, 0, 0, ERRNO | errno_answer),
        (ANSWER, 0, 0, ALLOW)))


def forbid_family(family):
    """Makes socket() of this family fail with EAFNOSUPPORT, as under systemd's RestrictAddressFamilies=."""
    install((
        (LOAD, 0, 0, CALL_NUMBER),
        (JUMP_EQUAL, 0, 3, SYS_SOCKET[platform.machine()]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, family),
        (ANSWER, 0, 0, ERRNO | errno.EAFNOSUPPORT),
        (ANSWER, 0, 0, ALLOW)))


def install(rows):
    program = b"".join(struct.pack("HBBI", *row) for row in rows)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(rows), ctypes.addressof(code))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def apply(user, block_io_uring, block_family=None):
    if user is not None and os.getuid() == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        die_with_parent()  # the change of the user has cleared this setting
    if block_io_uring:
        forbid_io_uring(block_io_uring)
    if block_family:
        forbid_family(block_family)


def own_network():
    """Moves this process and its future children to a network namespace of their own, where no other process waits for their locks.
    Raises OSError if this is not allowed."""
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def own_folders(folders):
    """Shows this process other folders under these paths, {path: folder or None}, in a mount namespace of its own. Only as root."""
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "unshare")
    for path, folder in folders.items():
        if folder and libc.mount(folder.encode(), path.encode(), None, MS_BIND, None):
            raise OSError(ctypes.get_errno(), f"mount {path}")


def borrow_descriptor(pid, number):
    """Returns a duplicate of another process's descriptor, to read its socket options. Raises OSError if this is not allowed."""
    if platform.machine() not in ("x86_64", "aarch64"):
        raise OSError("not known on this machine")
    process = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    if process < 0:
        raise OSError(ctypes.get_errno(), "pidfd_open")
    copy = libc.syscall(SYS_PIDFD_GETFD, process, number, 0)
    error = ctypes.get_errno()
    os.close(process)
    if copy < 0:
        raise OSError(error, "pidfd_getfd")
    return copy
