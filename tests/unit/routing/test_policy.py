"""The defaults of the routing knobs, and what they promise about each other."""

import pytest

from providers.spec.request import Resolution
from routing.policy import Policy

POLICY = Policy()


def test_every_resolution_has_its_limit_and_a_larger_image_never_a_shorter_one() -> None:
    limits = [POLICY.attempt_limit_s[resolution] for resolution in Resolution]
    assert limits == sorted(limits)


@pytest.mark.parametrize("resolution", Resolution)
def test_two_tries_that_hang_fit_into_the_deadline(resolution: Resolution) -> None:
    assert 2 * POLICY.attempt_limit_s[resolution] <= POLICY.request_deadline_s


def test_the_callers_are_told_what_the_issue_promises_them() -> None:
    assert POLICY.request_deadline_s == 300
    assert POLICY.max_possible_payments == 2
    assert POLICY.max_retry_after_s <= 60
    assert POLICY.refusal_policy == "stop"
    assert POLICY.out_probe_s == 600


def test_a_default_never_exceeds_its_upper_bound() -> None:
    assert POLICY.request_deadline_s <= POLICY.max_timeout_s
    assert POLICY.default_block_s <= POLICY.max_block_s
    assert POLICY.default_retry_after_s <= POLICY.max_retry_after_s
    assert POLICY.out_probe_s <= POLICY.out_long_s
