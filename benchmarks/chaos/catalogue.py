"""Catalogue: every case there is. An entry says what is done, for how long, and what callers may be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.chaos import deeds, signs
from benchmarks.chaos.case import Case
from benchmarks.chaos.loads import BY_URL, HEAVY, ONLY, QUICK, USUAL, around, leaving, slow
from simulator.faults import Kind, able
from simulator.vendors import Vendor

_LONG: Final = frozenset({Kind.HANG, Kind.DRIP})
"""Faults that are noticed only when a try has been waited for long enough."""
_BROKEN: Final = _LONG | {Kind.RESET}
"""Faults of the connection rather than of what comes over it."""
_LONG_S: Final = 16.0
_REFUSED: Final = frozenset({"400 moderation_blocked", "200 in a stream moderation_blocked"})
"""A vendor's refusal is passed on, and no other is asked to overrule it."""
_REFUSING: Final = frozenset({Kind.REFUSAL, Kind.FLAGGED_BLACK})
_LATE: Final = frozenset({"504 provider_timeout", "200 in a stream provider_timeout"})
"""Where two tries of a request were waited for in vain, and each may have been paid for."""
_HARMLESS: Final = frozenset({Kind.THOUGHT_FIRST, Kind.PROCESSING_WITH_OUTPUT})
"""Oddities that an adapter copes with; nothing is to be noticed."""
_ALL_DOWN: Final = frozenset(
    f"{status} {code}"
    for status in ("503", "200 in a stream")
    for code in ("provider_unavailable", "rate_limit_exceeded")
)
_OWN_FAULT: Final = frozenset({"500 internal_error", "200 in a stream internal_error"})


def _vendor_faults() -> Iterator[Case]:
    for kind in Kind:
        for vendor in sorted(able(kind)):
            seen = (signs.tries_fail(vendor), signs.breaker_opens(vendor))
            yield Case(
                name=f"{kind.value} at {vendor.value}",
                deed=deeds.VendorFails(vendor.value, kind.value),
                load=around(vendor.value),
                lasts_s=_LONG_S if kind in _LONG else 8.0,
                signs=() if kind in _HARMLESS else seen,
                allowed=_REFUSED if kind in _REFUSING else _LATE if kind in _LONG else frozenset(),
                pinned=frozenset({ONLY}),
                hurried=kind in _LONG,
                to_the_last=kind in _BROKEN,
            )


def _everywhere() -> Iterator[Case]:
    yield Case(
        name="503 everywhere",
        deed=deeds.VendorFails("*", "503"),
        load=USUAL,
        signs=(signs.tries_fail("gemini"), signs.breaker_opens("gemini")),
        allowed=_ALL_DOWN,
    )
    yield Case(
        name="429 everywhere",
        deed=deeds.VendorFails("*", "429"),
        load=USUAL,
        signs=(signs.counter("rate limited tries", "gateway_attempts_total", outcome="rate_limited"),),
        allowed=frozenset({"429 rate_limit_exceeded", "200 in a stream rate_limit_exceeded"}),
    )


def _redis() -> Iterator[Case]:
    down = (signs.STORE_DOWN,)
    yield Case(name="Redis stopped", deed=deeds.RedisGone(), load=USUAL, signs=down)
    yield Case(name="Redis stalled", deed=deeds.RedisStalls(), load=USUAL, lasts_s=12.0, signs=down)
    yield Case(name="Redis restarted", deed=deeds.RedisGone(at_once=True), load=USUAL)
    yield Case(name="Redis full", deed=deeds.RedisFull(), load=USUAL, signs=down)


def _own_world() -> Iterator[Case]:
    yield Case(name="image store unwritable", deed=deeds.StoreUnwritable(), load=BY_URL, signs=(signs.KEEPING_FAILS,))
    yield Case(
        name="spool disk full",
        deed=deeds.DiskFull(),
        load=HEAVY,
        settings={"GATEWAY_REPLY_MEMORY": "0"},  # otherwise most replies meet no disk
        signs=(signs.OWN_FAULT,),
        allowed=_OWN_FAULT,
    )
    yield Case(
        name="names without addresses",
        deed=deeds.NamesGone(),
        load=around("gemini"),
        lasts_s=16.0,
        signs=(signs.tries_fail("gemini"), signs.breaker_opens("gemini")),
        pinned=frozenset({ONLY}),
        through="gemini",
        warped=True,
        may_pass_unnoticed=True,  # connections that are open carry the requests while there are enough of them
    )
    yield Case(name="clock two hours ahead", deed=deeds.ClockJumps(7200), load={**USUAL, **BY_URL}, warped=True)
    yield Case(name="clock two hours back", deed=deeds.ClockJumps(-7200), load={**USUAL, **BY_URL}, warped=True)


def _connections() -> Iterator[Case]:
    for vendor in sorted(Vendor):
        yield Case(
            name=f"connections reset by {vendor.value}",
            deed=deeds.ConnectionsReset(),
            load=around(vendor.value),
            signs=(signs.tries_fail(vendor), signs.breaker_opens(vendor)),
            pinned=frozenset({ONLY}),
            through=vendor.value,
        )
    yield Case(
        name="TLS certificate of gemini expired",
        deed=deeds.CertificateExpired(),
        load=around("gemini"),
        signs=(signs.tries_fail("gemini"), signs.breaker_opens("gemini")),
        pinned=frozenset({ONLY}),
        through="gemini",
        tls=True,
    )


def _callers() -> Iterator[Case]:
    for stage in ("sending the head", "sending the body"):
        yield Case(name=f"callers gone while {stage}", deed=deeds.Nothing(), load=leaving(stage))
    for stage in ("waiting", "the answer", "a stream"):
        yield Case(
            name=f"callers gone during {stage}",
            deed=deeds.Nothing(),
            load=leaving(stage),
            signs=() if stage == "the answer" else (signs.CALLERS_LEAVE,),
        )
    for vendor in (Vendor.FAL, Vendor.REPLICATE):
        yield Case(
            name=f"callers gone during waiting at {vendor.value}",
            deed=deeds.VendorSlow(vendor.value),
            load=leaving(f"waiting at {vendor.value}"),
            signs=(signs.CALLERS_LEAVE,),
            allowed=_LATE,
            hurried=True,
        )
    yield Case(name="slow callers", deed=deeds.Nothing(), load=slow())
    yield Case(name="ten times the load", deed=deeds.Nothing(), load=QUICK, lasts_s=5.0, faster=10.0)
    yield Case(
        name="ten times the load, beyond the limit",
        deed=deeds.Nothing(),
        load=QUICK,
        lasts_s=5.0,
        faster=10.0,
        signs=(signs.counter("gateway_admission_refused_total", "gateway_admission_refused_total"),),
        settings={"GATEWAY_MAX_IN_FLIGHT": "4", "GATEWAY_QUEUE_LIMIT": "8", "GATEWAY_QUEUE_SECONDS": "5"},
        allowed=frozenset({"429 slow_down"}),
    )


def _process() -> Iterator[Case]:
    cut = frozenset(
        f"{status} {trouble}"
        for status in ("none", "200")
        for trouble in ("ConnectionRefusedError", "ConnectionResetError", "RemoteProtocolError", "cut short")
    )
    yield Case(name="gateway killed", deed=deeds.Killed(), load=USUAL, fixed_port=True, books_gone=True, allowed=cut)
    yield Case(
        name="one of two workers killed",
        deed=deeds.WorkerKilled(),
        load=USUAL,
        signs=(signs.counter("gateway_worker_starts_total", "gateway_worker_starts_total"),),
        settings={"GATEWAY_WORKERS": "2"},
        books_gone=True,
        allowed=cut,
    )


CASES: Final = (
    *_vendor_faults(),
    *_everywhere(),
    *_redis(),
    *_own_world(),
    *_connections(),
    *_callers(),
    *_process(),
)
SHORT: Final = (
    "503 at gemini",
    "truncated_image at replicate",
    "429 everywhere",
    "Redis stopped",
    "image store unwritable",
    "spool disk full",
    "connections reset by gemini",
    "callers gone during a stream",
    "callers gone during waiting at fal",
    "clock two hours ahead",
    "gateway killed",
)
"""One of every family that shows itself within two seconds."""


def named(names: tuple[str, ...] = SHORT) -> tuple[Case, ...]:
    """The cases of these names. KeyError for one there is not."""
    known = {case.name: case for case in CASES}
    return tuple(known[name] for name in names)
