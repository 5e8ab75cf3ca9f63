"""A held port: nobody listens there, nobody is given it, and a server can start, end and start again on it."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
import redis

from benchmarks.rig.ports import held_port
from benchmarks.rig.redis_server import RedisServer, own_redis

HELD = 50
ASKED = 4000
"""Of 28,000 ports one in 560 is held: so many binds would miss them all once in a thousand runs, if they were given."""
IP_LOCAL_PORT_RANGE = 51
"""Of Linux 6.3 and newer: from which ports the kernel chooses. Python has no name for it."""


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as held:
        yield held


def asking(*, reuse: bool) -> socket.socket:
    """A socket that was not bound yet."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    return made


def choosing_only(port: int, *, reuse: bool) -> socket.socket:
    """One for which the kernel chooses this port or none."""
    made = asking(reuse=reuse)
    try:
        made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("HH", port, port))
    except OSError:
        made.close()
        pytest.skip("a kernel older than 6.3")
    return made


def test_nobody_listens_there(port: int) -> None:
    for _ in range(100):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30)


@pytest.mark.parametrize("reuse", [True, False])
def test_no_other_socket_that_asks_for_any_port_is_given_it(reuse: bool) -> None:
    with ExitStack() as stack:
        held = {stack.enter_context(held_port()) for _ in range(HELD)}
        assert len(held) == HELD
        given = set()
        for _ in range(ASKED):
            with asking(reuse=reuse) as other:
                other.bind(("127.0.0.1", 0))
                given.add(other.getsockname()[1])
        assert given & held == set()


@pytest.mark.parametrize("reuse", [True, False])
def test_it_is_not_given_either_when_the_kernel_has_no_other(port: int, reuse: bool) -> None:
    with choosing_only(port, reuse=reuse) as other, pytest.raises(OSError, match="in use") as raised:
        other.bind(("127.0.0.1", 0))
    assert raised.value.errno == errno.EADDRINUSE


def test_no_connection_has_it_at_its_own_end(port: int) -> None:
    """Else one to this port could meet itself."""
    with choosing_only(port, reuse=False) as caller, pytest.raises(OSError, match="assign") as raised:
        caller.connect(("127.0.0.1", port))
    assert raised.value.errno == errno.EADDRNOTAVAIL


def test_who_names_it_must_be_willing_to_share(port: int) -> None:
    with asking(reuse=False) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)) as server:  # it sets SO_REUSEADDR
        socket.create_connection(server.getsockname(), timeout=30).close()


def test_afterwards_it_is_given_to_anybody() -> None:
    """A few of them may have been given away at once."""
    with ExitStack() as stack:
        ports = [stack.enter_context(held_port()) for _ in range(HELD)]
    given = 0
    for port in ports:
        with choosing_only(port, reuse=False) as other, suppress(OSError):
            other.bind(("127.0.0.1", 0))
            given += other.getsockname()[1] == port
    assert given > HELD / 2


def test_a_redis_starts_there_again_after_it_was_killed() -> None:
    with own_redis() as server:
        first = server.port
        for _ in range(3):
            with redis.Redis.from_url(server.url) as client:
                assert client.ping()
                assert client.incr("starts") == 1
                server.kill()
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", first), timeout=30)
            server.start()
        assert server.port == first


def test_what_a_killed_redis_leaves_is_given_to_nobody() -> None:
    with own_redis() as server:
        socket.create_connection(("127.0.0.1", server.port), timeout=30).close()
        server.kill()
        with choosing_only(server.port, reuse=True) as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", 0))


def test_a_redis_that_ended_is_not_taken_for_started_because_another_listens_there() -> None:
    server = RedisServer()
    with closing(server), socket.create_server(("127.0.0.1", server.port)), pytest.raises(RuntimeError, match="start"):
        server.start()
