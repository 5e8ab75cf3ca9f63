"""Leaving a conversation early, for the adapters whose jobs can be cancelled."""

from __future__ import annotations

from collections.abc import Sequence

from providers.spec.conversation import Abandoned, AbandonReason, Conversation, HttpCall, Reply, Unanswered
from tests.contract.driving import Answer


def abandoned_after(
    conversation: Conversation, answers: Sequence[Reply], *, cancel: Answer
) -> tuple[Abandoned, HttpCall | None]:
    """Leave at the first step after these answers: what came back, and the cancel call if one was made, which is
    answered with ``cancel``."""
    step, left = next(conversation), list(answers)
    while left:
        step = conversation.send(left.pop(0) if isinstance(step, HttpCall) else None)
    thrown = Abandoned(AbandonReason.ATTEMPT_LIMIT)
    call: HttpCall | None = None
    try:
        yielded = conversation.throw(thrown)
        assert isinstance(yielded, HttpCall)
        call = yielded
        went_on = conversation.throw(cancel) if isinstance(cancel, Unanswered) else conversation.send(cancel)
    except Abandoned as returned:
        if returned is thrown:
            return thrown, call
        raise
    raise AssertionError(f"it went on with {went_on}")
