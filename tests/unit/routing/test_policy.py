"""The defaults of the routing knobs, and what they promise about each other."""

import pytest

from providers.spec.request import Resolution
from routing.knobs import OBJECTIVES
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
    assert POLICY.first_block_s <= POLICY.default_block_s <= POLICY.max_block_s
    assert POLICY.default_retry_after_s <= POLICY.max_retry_after_s
    assert POLICY.out_probe_s <= POLICY.out_long_s


def test_the_four_policies_are_there_and_the_default_is_balanced() -> None:
    assert set(POLICY.objectives) == {"cheapest", "balanced", "fastest", "most_reliable"}
    assert POLICY.default_policy == "balanced"


def test_the_policies_differ_as_their_names_say() -> None:
    cheapest, balanced, fastest, reliable = (
        OBJECTIVES[name] for name in ("cheapest", "balanced", "fastest", "most_reliable")
    )
    assert cheapest.value_of_time_usd_per_s < balanced.value_of_time_usd_per_s < fastest.value_of_time_usd_per_s
    assert reliable.failed_try_usd > balanced.failed_try_usd == 0.0
    assert cheapest.hedge_share == 0.0 < balanced.hedge_share < fastest.hedge_share


@pytest.mark.parametrize("name", OBJECTIVES)
def test_giving_up_costs_more_than_any_provider_that_is_known(name: str) -> None:
    objective = OBJECTIVES[name]
    assert objective.failed_request_total_usd == pytest.approx(0.2 + 120 * objective.value_of_time_usd_per_s)
    assert objective.failed_request_total_usd > 0.16


def test_hedging_is_off_until_somebody_opts_in() -> None:
    assert not POLICY.hedging.enabled


def test_what_one_replica_finds_out_can_reach_all_within_two_seconds() -> None:
    assert 3 * POLICY.sharing_interval_s < 2


def test_nobody_waits_for_an_offer_for_longer_than_a_request_lasts() -> None:
    assert POLICY.limits.max_wait_s < POLICY.request_deadline_s
    assert POLICY.breaker.panic_wait_s < POLICY.breaker.open_s
