"""Requirements of a case. The case is skipped where one is missing."""
import os
import socket
import subprocess

import sandbox
from rig import Skip


def root():
    if os.getuid():
        raise Skip("needs root")


def ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        raise Skip("this machine has no IPv6") from None


def own_network():
    """Moves the case to a network namespace of its own."""
    root()
    try:
        sandbox.own_network()
    except (OSError, subprocess.SubprocessError) as error:
        raise Skip(f"no network namespace of its own: {error}") from None
