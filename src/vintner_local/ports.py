"""Choosing the TCP ports of a stack on the loopback address."""

from __future__ import annotations

import errno
import socket

from vintner_local.errors import StackError

HOST = "127.0.0.1"
DEFAULT_API_PORT = 54321
DEFAULT_DB_PORT = 54322
BACKLOG = 128
STRIDE = 10
"""Distance of the ports tried in place of a taken one, so that the pairs of two stacks match."""


class PortTakenError(StackError):
    """Another program listens on the port."""


def listen(port: int) -> socket.socket:
    """A socket that listens on the port, which nobody else can take from now on.

    Raises:
        PortTakenError: another program has it.
        StackError: the port may not be used at all.
    """
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(f"port {port} is taken") from error
        raise StackError(f"port {port} cannot be used: {error.strerror}") from error
    return made


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now.

    Raises:
        StackError: the port may not be used at all.
    """
    try:
        listen(port).close()
    except PortTakenError:
        return False
    return True


def any_free(besides: int | None = None) -> int:
    """A free port of the system's choice.

    Args:
        besides: a port that is spoken for although nobody listens on it yet.
    """
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port != besides:
            return port


def choose(wanted: int, besides: int | None = None) -> int:
    """The wanted port where it is free, else another one.

    Args:
        wanted: the port asked for; 0 for any.
        besides: a port that is spoken for although nobody listens on it yet.
    """
    if wanted == 0:
        return any_free(besides)
    for port in range(wanted, min(wanted + 50 * STRIDE, 65536), STRIDE):
        if port != besides and is_free(port):
            return port
    return any_free(besides)
