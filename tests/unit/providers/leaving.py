"""Leaving a conversation early, for the adapters whose jobs can be cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from providers.spec.conversation import Abandoned, AbandonReason, Conversation, HttpCall, Reply, Unanswered
from providers.spec.errors import Spend
from tests.contract.driving import Answer, drive, pending


def abandoned_after(
    conversation: Conversation, answers: Sequence[Reply], *, cancel: Answer
) -> tuple[Abandoned, HttpCall | None]:
    """Leave at the first step after these answers: what came back, and the cancel call if one was made, which is
    answered with ``cancel``."""
    step, left = next(conversation), list(answers)
    while left:
        step = conversation.send(left.pop(0) if isinstance(step, HttpCall) else None)
    return _left(conversation, cancel)


def spend_by_step(
    start: Callable[[], Conversation], answers: Sequence[Answer], *, cancel: Answer
) -> list[Spend | None]:
    """What leaving tells about the bill at every step of the conversation these answers make, in order."""
    spends = []
    for stop in range(len(drive(start(), answers).steps)):
        conversation = start()
        pending(conversation, answers, stop)
        spends.append(_left(conversation, cancel)[0].spend)
    return spends


def _left(conversation: Conversation, cancel: Answer) -> tuple[Abandoned, HttpCall | None]:
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
