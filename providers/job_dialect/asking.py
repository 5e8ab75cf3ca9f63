"""Asking: one call and its reply, as a piece of a conversation."""

from __future__ import annotations

from collections.abc import Generator

from providers.job_dialect.failures import silent
from providers.spec.conversation import HttpCall, Reply, Step, Unanswered
from providers.spec.errors import Spend

LONGEST_PAUSE_S = 10.0
"""Most seconds a question about a job is put off because the vendor asked to wait."""

TOLERATED_FAILURES = 4
"""Questions in a row that may go wrong before the job is given up. Giving up may mean to pay twice, so a hiccup of a
few seconds is sat out."""


def ask(call: HttpCall) -> Generator[Step, Reply | None, Reply]:
    """Make the call. Unanswered comes through as it was thrown in."""
    reply = yield call
    if reply is None:
        raise TypeError("a call was answered with nothing")
    return reply


def hand_in(call: HttpCall, vendor: str) -> Generator[Step, Reply | None, Reply]:
    """Make the call that starts a job; its reply, whatever the status.

    Raises ProviderError(UNREACHABLE) when none came. Once the call may have been sent, a job nobody knows the id of may
    be running, and be billed.
    """
    try:
        return (yield from ask(call))
    except Unanswered as unanswered:
        spend = Spend.POSSIBLE if unanswered.sent else Spend.NONE
        raise silent(unanswered, vendor, spend=spend) from unanswered


def ok(reply: Reply) -> bool:
    """Whether the status is one of success."""
    return 200 <= reply.status < 300
