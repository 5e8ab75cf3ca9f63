"""Acceptance: a running gateway before the vendors' simulator in scripted trouble, judged by what its callers see."""

from __future__ import annotations

import pytest

from benchmarks.over_http.run import Outcome, run_script
from benchmarks.over_http.scripts import BROWN_OUT, OUTAGE, STORM

SUCCESS = 0.995
"""Share of requests that are answered with an image, trouble or not."""
HURT = 0.12
"""Share of users who fail or wait three times as long as usual. Without any trouble it is some four per cent."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def assert_books_agree(outcome: Outcome) -> None:
    """What the gateway tells of itself is what its callers saw, and no more than what the vendors bill."""
    figures = outcome.figures
    assert outcome.requests_counted == figures.requests - figures.failed
    told = figures.usd_per_image * outcome.requests_counted
    assert told - 0.001 <= outcome.spent_usd <= outcome.billed_usd + 0.001


def test_an_outage_of_the_preferred_vendor_hurts_next_to_nobody() -> None:
    outcome = run_script(OUTAGE)
    figures = outcome.figures
    assert figures.success >= SUCCESS, figures.errors
    assert figures.leave_s is not None
    assert figures.leave_s <= 20.0
    assert figures.return_s is not None
    assert figures.return_s <= 180.0
    assert figures.hurt <= HURT * figures.requests
    assert_books_agree(outcome)


def test_a_brown_out_of_the_preferred_vendor_is_noticed_and_so_is_its_end() -> None:
    outcome = run_script(BROWN_OUT)
    figures = outcome.figures
    assert figures.success >= SUCCESS, figures.errors
    assert figures.leave_s is not None
    assert figures.leave_s <= 60.0
    assert figures.return_s is not None
    assert figures.return_s <= 240.0
    assert figures.hurt <= HURT * figures.requests
    assert_books_agree(outcome)


def test_a_storm_of_429_loses_no_request() -> None:
    outcome = run_script(STORM)
    figures = outcome.figures
    assert figures.errors == ()
    assert outcome.fallbacks > 0, "nobody was refused, so nothing was shown"
    assert_books_agree(outcome)
