"""Ports: a number on loopback that stays one's own, also while nobody listens on it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port that is one's own while the block runs. Until a server starts there, and again once it has ended,
    connections to it are refused.

    A port that was merely found free may belong to somebody else by the time it is used. This one is bound, by a socket
    that does not listen, with SO_REUSEADDR. Linux lets another such socket bind it as well and listen: a server that
    asks for this very number and sets SO_REUSEADDR, as ours, Redis and asyncio's all do. Who asks for any port never
    gets it, with SO_REUSEADDR or without (unless net.ipv4.ip_autobind_reuse is set, which it is not by default): not
    another bind to port 0, so no other held port either, and no connection for its own end. A foreign server could
    therefore come only from somebody who names this number of the ephemeral range; and who names it without
    SO_REUSEADDR is refused.
    """
    with socket.socket() as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("127.0.0.1", 0))
        port: int = holding.getsockname()[1]
        yield port
