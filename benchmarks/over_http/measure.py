"""Measure: what the answers of one script come to. Definitions as in the benchmark in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.over_http.load import Answer
from benchmarks.over_http.scripts import Script
from benchmarks.routing.measure import BACK_SHARE, HURT_FACTOR, LEFT_SHARE, NEXT_REQUESTS, quantile


@dataclass(frozen=True, slots=True)
class Figures:
    """One script, from outside. Vendor seconds, USD, shares from 0 to 1."""

    requests: int
    failed: int
    hurt: int
    """Users whose request failed, or took more than three times as long as the median before the trouble."""
    normal_p50_s: float
    p50_s: float
    p95_s: float
    usd_per_image: float
    """As the answers tell it: what the delivered images cost."""
    tries: int
    leave_s: float | None
    """From the onset to the first request after which hardly any begin at the sick vendor; None: it never left."""
    return_s: float | None
    """From the recovery until half of the former share begins there again; None: not within the script."""
    latest_s: float
    """By how much the latest request was sent after it was due."""
    errors: tuple[str, ...]
    """What the callers of failed requests were told."""

    @property
    def success(self) -> float:
        """Share of requests that were answered with an image."""
        return 1.0 - self.failed / self.requests


def figures_of(script: Script, answers: Sequence[Answer]) -> Figures:
    """The figures of a script that has been run."""
    delivered = [answer for answer in answers if not answer.failed]
    normal = quantile(sorted(each.seconds for each in delivered if each.arrived < script.start), 0.5)
    seconds = sorted(each.seconds for each in delivered)
    before = [_begins_at(script, each) for each in answers if each.arrived < script.start]
    usual = sum(before) / len(before) if before else 0.0
    return Figures(
        requests=len(answers),
        failed=sum(each.failed for each in answers),
        hurt=sum(each.failed or each.seconds > HURT_FACTOR * normal for each in answers),
        normal_p50_s=normal,
        p50_s=quantile(seconds, 0.5),
        p95_s=quantile(seconds, 0.95),
        usd_per_image=sum(each.cost_usd for each in delivered) / max(len(delivered), 1),
        tries=sum(len(each.attempts) for each in answers),
        leave_s=_first(script, answers, script.start, script.end, below=LEFT_SHARE),
        return_s=_first(script, answers, script.end, script.duration, at_least=BACK_SHARE * usual),
        latest_s=max(each.late for each in answers),
        errors=tuple(each.error for each in answers if each.failed),
    )


def _begins_at(script: Script, answer: Answer) -> bool:
    return bool(answer.attempts) and answer.attempts[0]["provider"] == script.sick


def _first(
    script: Script,
    answers: Sequence[Answer],
    since: float,
    until: float,
    *,
    below: float = 0.0,
    at_least: float = 2.0,
) -> float | None:
    """Seconds from ``since`` to the first request from which on the share at the sick vendor is as asked."""
    there = [_begins_at(script, answer) for answer in answers]
    for place in range(len(answers) - NEXT_REQUESTS + 1):
        if not since <= answers[place].arrived < until:
            continue
        share = sum(there[place : place + NEXT_REQUESTS]) / NEXT_REQUESTS
        if share < below or share >= at_least:
            return answers[place].arrived - since
    return None
