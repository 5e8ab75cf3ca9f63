"""Descriptors: how many files and sockets this process may have open, raised as far as the system lets it."""

from __future__ import annotations

import resource

PER_REQUEST = 3
"""A request in flight has its caller's connection, one to a vendor, and one large body (a mapped file keeps one, and
another while there are plenty)."""
RESERVE = 256
"""For everything else: listeners, threads, Redis, callers between two requests, pages of operators."""
_CEILING = 1024 * 1024
"""More than anybody needs; systems that say "no limit" refuse to be taken at their word."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one; how many descriptors there are then. What cannot be raised stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CEILING if hard == resource.RLIM_INFINITY else min(hard, _CEILING)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return available()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return available()
    return wanted


def available() -> int:
    """How many descriptors there are as things stand."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _CEILING if soft == resource.RLIM_INFINITY else soft


def fits(descriptors: int) -> int:
    """Requests in flight that so many descriptors are enough for; at least 1."""
    return max((descriptors - RESERVE) // PER_REQUEST, 1)


def needed(requests: int) -> int:
    """Descriptors that so many requests in flight need."""
    return requests * PER_REQUEST + RESERVE
