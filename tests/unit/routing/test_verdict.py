"""Tests of the verdict: what the caller of a failed request is told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import FAULT_TABLE, Fault, Spend
from providers.spec.request import Resolution
from routing.attempt import Attempt
from routing.breaker import Breaker
from routing.health import Health
from routing.plan import RoutePlan
from routing.verdict import Verdict, verdict
from tests.unit.routing.making import MODEL, NOW, POLICY, REQUEST, delivered, failed, made, offer

NAMES = ("replicate", "gemini", "vertex", "fal")
ROUTE = made(dict(zip(NAMES, ("0.067", "0.0672", "0.0675", "0.08"), strict=True)))
COMES_BACK = (Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.UNREACHABLE)


def judge(*attempts: Attempt, route: RoutePlan = ROUTE, now: float = NOW + 10) -> Verdict:
    return verdict(route, attempts, now=now)


def every(*faults: Fault) -> tuple[Attempt, ...]:
    return tuple(failed(name, fault, started_at=NOW + 9) for name, fault in zip(NAMES, faults, strict=False))


@pytest.mark.parametrize("fault", Fault)
def test_a_single_try_gives_its_faults_row(fault: Fault) -> None:
    told, row = judge(failed("gemini", fault)), FAULT_TABLE[fault]
    assert (told.status, told.type, told.code) == (row.status, row.type, row.code)
    assert told.should_retry == row.should_retry
    assert (told.retry_after is not None) is (fault in COMES_BACK)


@pytest.mark.parametrize("last", [Fault.CONTENT_REFUSED, Fault.INVALID_REQUEST, Fault.OWN_FAULT])
def test_a_fault_that_allows_no_other_try_gives_its_row_whatever_went_before(last: Fault) -> None:
    told = judge(*every(Fault.OVERLOADED, Fault.RATE_LIMITED, last))
    assert (told.status, told.code) == (FAULT_TABLE[last].status, FAULT_TABLE[last].code)
    assert told.retry_after is None


@pytest.mark.parametrize("others", [(Fault.OVERLOADED,), (Fault.RATE_LIMITED, Fault.TIMED_OUT), (Fault.UNSUPPORTED,)])
def test_a_refusal_is_the_answer_whoever_failed_after_it(others: tuple[Fault, ...]) -> None:
    refusal = failed("replicate", Fault.CONTENT_REFUSED, message="Replicate refused the content.")
    later = [failed(name, fault) for name, fault in zip(NAMES[1:], others, strict=False)]
    told = judge(refusal, *later)
    assert (told.status, told.code, told.param) == (400, "moderation_blocked", "prompt")
    assert told.message == "Replicate refused the content."
    assert (told.should_retry, told.retry_after) == (False, None)


def test_a_refusal_is_the_answer_even_when_the_time_is_over() -> None:
    attempts = (failed("replicate", Fault.CONTENT_REFUSED), failed("fal", Fault.TIMED_OUT, deadline_hit=True))
    assert judge(*attempts, now=ROUTE.deadline_at + 1).code == "moderation_blocked"


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.ABANDONED])
def test_the_same_fault_everywhere_gives_its_row(fault: Fault) -> None:
    told = judge(*every(fault, fault, fault, fault))
    assert (told.status, told.code) == (FAULT_TABLE[fault].status, FAULT_TABLE[fault].code)


@pytest.mark.parametrize("other", [Fault.BAD_REPLY, Fault.CREDENTIALS, Fault.TIMED_OUT, Fault.UNSUPPORTED])
@pytest.mark.parametrize("passing", COMES_BACK)
def test_one_fault_that_passes_by_itself_makes_it_unavailable(passing: Fault, other: Fault) -> None:
    told = judge(*every(other, passing, other))
    assert (told.status, told.type, told.code) == (503, "server_error", "provider_unavailable")
    assert told.retry_after == POLICY.default_retry_after_s


@pytest.mark.parametrize(
    "faults",
    [
        (Fault.BAD_REPLY, Fault.TIMED_OUT),
        (Fault.CREDENTIALS, Fault.OUT_OF_FUNDS, Fault.MODEL_GONE),
        (Fault.UNSUPPORTED, Fault.BAD_REPLY),
    ],
)
def test_any_other_mixture_is_a_bad_reply(faults: tuple[Fault, ...]) -> None:
    told = judge(*every(*faults))
    assert (told.status, told.type, told.code) == (502, "server_error", "provider_bad_reply")
    assert told.retry_after is None


def test_a_deadline_that_was_reached_goes_before_the_mixture() -> None:
    cut = failed("gemini", Fault.TIMED_OUT, deadline_hit=True)
    told = judge(failed("replicate", Fault.RATE_LIMITED, retry_after=9.0), cut)
    assert (told.status, told.type, told.code) == (504, "server_error", "provider_timeout")
    assert told.retry_after is None
    assert told.message == (
        "The request's time limit of 300 s was reached: replicate was rate limited, gemini had not finished."
    )


def test_a_deadline_reached_between_two_tries_goes_before_what_they_have_in_common() -> None:
    assert judge(*every(Fault.OVERLOADED, Fault.OVERLOADED), now=ROUTE.deadline_at).status == 504


def test_a_driver_that_calls_a_deadline_abandonment_is_understood() -> None:
    assert judge(failed("gemini", Fault.ABANDONED, deadline_hit=True)).status == 504


def test_all_rate_limited_names_the_smallest_wait() -> None:
    waits = (40.0, 12.2, 33.0)
    attempts = [
        failed(name, Fault.RATE_LIMITED, started_at=NOW, seconds=10.0, retry_after=wait)
        for name, wait in zip(NAMES, waits, strict=False)
    ]
    told = judge(*attempts, now=NOW + 10)
    assert (told.status, told.type, told.code) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert told.retry_after == 13


def test_a_stated_wait_runs_from_the_end_of_its_try() -> None:
    limited = failed("gemini", Fault.RATE_LIMITED, started_at=NOW, seconds=1.0, retry_after=30.0)
    assert judge(limited, now=NOW + 11).retry_after == 20


def test_a_wait_that_is_over_is_still_answered_with_one_second() -> None:
    assert judge(failed("gemini", Fault.RATE_LIMITED, retry_after=0.2), now=NOW + 100).retry_after == 1


@pytest.mark.parametrize("fault", COMES_BACK)
@pytest.mark.parametrize("stated", [60.5, 3_600.0, math.inf])
def test_no_wait_above_a_minute_is_answered(fault: Fault, stated: float) -> None:
    assert judge(failed("gemini", fault, started_at=NOW + 10, seconds=0.0, retry_after=stated)).retry_after == 60


def test_a_provider_that_was_left_alone_counts_towards_the_wait() -> None:
    route = made({"gemini": "0.0672", "fal": "0.08"}, healths={f"fal/{MODEL}": Health(blocked_until=NOW + 14)})
    limited = failed("gemini", Fault.RATE_LIMITED, retry_after=50.0)
    assert judge(limited, route=route, now=NOW + 10).retry_after == 4


def test_what_an_offer_said_last_goes_before_what_it_said_earlier() -> None:
    first = failed("gemini", Fault.RATE_LIMITED, retry_after=2.0)
    second = failed("gemini", Fault.RATE_LIMITED, started_at=NOW + 4, retry_after=45.0)
    assert judge(first, second, now=NOW + 5).retry_after == 45
    other = failed("fal", Fault.RATE_LIMITED, started_at=NOW + 4, retry_after=30.0)
    assert judge(first, other, second, now=NOW + 5).retry_after == 30


def test_a_wait_is_forgotten_when_the_offer_has_failed_otherwise_since() -> None:
    limited = failed("gemini", Fault.RATE_LIMITED, retry_after=2.0)
    hung = failed("gemini", Fault.TIMED_OUT, started_at=NOW + 4)
    other = failed("fal", Fault.RATE_LIMITED, started_at=NOW + 4, retry_after=30.0)
    assert judge(limited, other, hung, now=NOW + 5).retry_after == 30


def test_a_block_that_the_offer_was_tried_after_counts_no_more() -> None:
    route = made({"gemini": "0.0672", "fal": "0.08"}, healths={f"fal/{MODEL}": Health(blocked_until=NOW + 14)})
    limited = failed("gemini", Fault.RATE_LIMITED, started_at=NOW + 15, retry_after=50.0)
    tried_since = failed("fal", Fault.RATE_LIMITED, started_at=NOW + 15, retry_after=40.0)
    assert judge(limited, tried_since, route=route, now=NOW + 16).retry_after == 40


def test_a_last_resort_that_was_left_alone_counts_towards_the_wait() -> None:
    blocked = Health(blocked_until=NOW + 14)
    route = made({"gemini": "0.0672", "fal": "0.08"}, healths={f"fal/{MODEL}": BLOCKED_20, f"gemini/{MODEL}": blocked})
    limited = failed("gemini", Fault.RATE_LIMITED, started_at=NOW + 14, seconds=1.0, retry_after=50.0)
    assert judge(limited, route=route, now=NOW + 15).retry_after == 5


@pytest.mark.parametrize("spend", [Spend.POSSIBLE, Spend.CHARGED])
def test_no_retry_is_advised_once_a_vendor_may_bill(spend: Spend) -> None:
    told = judge(failed("replicate", Fault.TIMED_OUT, spend=spend), failed("gemini", Fault.OVERLOADED))
    assert told.status == 503
    assert told.should_retry is False


def test_payments_used_up_by_different_faults_are_a_mixture() -> None:
    told = judge(
        failed("replicate", Fault.TIMED_OUT, spend=Spend.POSSIBLE),
        failed("gemini", Fault.BAD_REPLY, spend=Spend.CHARGED),
    )
    assert (told.status, told.should_retry) == (502, False)


def test_the_message_tells_who_was_tried_and_what_happened() -> None:
    told = judge(*every(Fault.OVERLOADED, Fault.BAD_REPLY))
    assert told.message == (
        "No provider delivered the image: replicate was overloaded, gemini answered without a usable image."
    )


def test_what_happened_several_times_is_told_once() -> None:
    limited, overloaded = failed("vertex", Fault.RATE_LIMITED), failed("fal", Fault.OVERLOADED)
    hung = failed("vertex", Fault.TIMED_OUT)
    told = judge(limited, overloaded, limited, limited, hung, limited)
    assert told.message == (
        "No provider delivered the image: vertex was rate limited (4 times), fal was overloaded, "
        "vertex did not finish in time."
    )


@pytest.mark.parametrize("fault", [Fault.CONTENT_REFUSED, Fault.INVALID_REQUEST, Fault.UNSUPPORTED, Fault.BAD_REPLY])
def test_a_single_try_is_told_in_its_own_sentence(fault: Fault) -> None:
    assert judge(failed("gemini", fault, message="Gemini refuses foxes.")).message == "Gemini refuses foxes."


def test_what_nobody_can_do_is_told_provider_by_provider() -> None:
    told = judge(
        failed("replicate", Fault.UNSUPPORTED, message="Replicate has no such ratio.", parameter="aspect_ratio"),
        failed("gemini", Fault.UNSUPPORTED),
    )
    assert told.message == (
        "No provider of pictura can do what was asked. Replicate has no such ratio. gemini cannot do what was asked."
    )
    assert (told.status, told.param) == (400, "aspect_ratio")


def test_what_the_same_provider_cannot_do_is_told_once() -> None:
    lacking = failed("replicate", Fault.UNSUPPORTED, message="Replicate has no such ratio.")
    assert judge(lacking, lacking).message.count("Replicate has no such ratio.") == 1


def test_the_parameter_at_fault_is_named() -> None:
    told = judge(failed("replicate", Fault.OVERLOADED), failed("fal", Fault.INVALID_REQUEST, parameter="prompt"))
    assert told.param == "prompt"


def test_no_parameter_is_named_when_the_caller_is_not_at_fault() -> None:
    told = judge(failed("replicate", Fault.UNSUPPORTED, parameter="seed"), failed("fal", Fault.BAD_REPLY))
    assert (told.status, told.param) == (502, None)


def test_our_own_failure_says_nothing_about_its_cause() -> None:
    told = judge(failed("fal", Fault.OWN_FAULT, message="disk /dev/sda1 is full"))
    assert told.status == 500
    assert "disk" not in told.message


def test_a_request_that_was_served_has_no_verdict() -> None:
    with pytest.raises(ValueError, match="served"):
        judge(failed("replicate", Fault.OVERLOADED), delivered("gemini"))


# Without any try


def test_what_every_offer_objects_to_is_the_callers_parameter() -> None:
    only_4k = frozenset({Resolution.R4K})
    route = made({}, offers=[offer("fal", resolutions=only_4k), offer("gemini", resolutions=only_4k)])
    told = judge(route=route)
    assert (told.status, told.type, told.code) == (400, "invalid_request_error", "unsupported_value")
    assert told.param == "resolution"
    assert told.message == "No provider of pictura can do what was asked: fal offers 4K; gemini offers 4K."


def test_of_several_parameters_the_one_most_offers_object_to_is_named() -> None:
    only_4k = frozenset({Resolution.R4K})
    offers = [
        offer("fal", min_prompt_chars=100),
        offer("gemini", resolutions=only_4k),
        offer("vertex", resolutions=only_4k),
    ]
    assert judge(route=made({}, offers=offers)).param == "resolution"


def test_a_prompt_too_short_for_everybody_is_an_invalid_value() -> None:
    told = judge(route=made({}, offers=[offer("fal", min_prompt_chars=100)]))
    assert (told.status, told.code, told.param) == (400, "invalid_value", "prompt")
    assert told.message.endswith("fal wants a prompt of at least 100 characters.")


BLOCKED_20 = Health(blocked_until=NOW + 20)
BLOCKED_15 = Health(blocked_until=NOW + 15)
OUT = Health(out_fault=Fault.OUT_OF_FUNDS, out_since=NOW, next_probe_at=NOW + 600)


def resting(**healths: Health) -> RoutePlan:
    return made(dict.fromkeys(healths, "0.05"), healths={f"{name}/{MODEL}": each for name, each in healths.items()})


def test_all_offers_blocked_is_a_rate_limit_with_the_smallest_wait() -> None:
    told = judge(route=resting(fal=BLOCKED_20, gemini=BLOCKED_15), now=NOW)
    assert (told.status, told.code, told.retry_after) == (429, "rate_limit_exceeded", 15)
    assert told.message == (
        "No provider of pictura can serve this request at the moment: gemini was rate limited and is left alone for"
        " 15 s more, fal was rate limited and is left alone for 20 s more."
    )


def test_some_blocked_and_some_out_is_unavailable_with_a_wait() -> None:
    told = judge(route=resting(fal=BLOCKED_20, gemini=OUT), now=NOW)
    assert (told.status, told.code, told.retry_after) == (503, "provider_unavailable", 20)


def test_all_offers_out_is_a_bad_reply() -> None:
    told = judge(route=resting(fal=OUT, gemini=OUT))
    assert (told.status, told.code, told.retry_after) == (502, "provider_bad_reply", None)
    assert told.message.startswith("No provider of pictura can serve this request at the moment: fal did not accept")


def test_an_offer_that_objects_does_not_hide_that_another_is_only_blocked() -> None:
    offers = [offer("fal", resolutions=frozenset({Resolution.R4K})), offer("gemini")]
    route = made({"gemini": "0.05"}, offers=offers, healths={f"gemini/{MODEL}": BLOCKED_20})
    assert judge(route=route, now=NOW).status == 429


OPEN = Health(breaker=Breaker(score=5.5, opened_at=NOW, open_until=NOW + 15, open_s=15))


def test_offers_that_keep_failing_are_unavailable_until_the_first_may_be_tried() -> None:
    told = judge(route=resting(fal=OPEN, gemini=OPEN), now=NOW)
    assert (told.status, told.code, told.retry_after) == (503, "provider_unavailable", 15)


def test_offers_that_are_full_are_a_rate_limit() -> None:
    told = judge(route=resting(fal=Health(room=False), gemini=BLOCKED_15), now=NOW)
    assert (told.status, told.code, told.retry_after) == (429, "rate_limit_exceeded", 1)


def test_a_model_that_nobody_sells_is_a_bad_reply() -> None:
    told = judge(route=made({}))
    assert (told.status, told.message) == (502, "No provider of pictura can serve this request at the moment.")


def test_a_deadline_over_before_the_first_try_is_a_timeout() -> None:
    route = made({"fal": "0.05"}, policy=replace(POLICY, request_deadline_s=0.01))
    told = judge(route=route)
    assert (told.status, told.code) == (504, "provider_timeout")
    assert told.message == "The request's time limit of 0.01 s was over before a provider was asked."


attempts_of_any_kind = st.builds(
    failed,
    st.sampled_from(NAMES),
    st.sampled_from([fault for fault in Fault if fault is not Fault.ABANDONED]),
    spend=st.sampled_from(Spend),
    started_at=st.floats(NOW, NOW + 300),
    seconds=st.floats(0, 300),
    retry_after=st.none() | st.floats(),
    deadline_hit=st.booleans(),
)


@given(attempts=st.lists(attempts_of_any_kind, min_size=1, max_size=6), now=st.floats(NOW, NOW + 400))
def test_every_failed_request_gets_one_answer_within_the_rules(attempts: list[Attempt], now: float) -> None:
    told = judge(*attempts, now=now)
    assert told.status in {400, 429, 500, 502, 503, 504}
    assert told.message.endswith(".")
    assert REQUEST.prompt not in told.message
    assert (told.type == "rate_limit_error") is (told.status == 429)
    assert (told.type == "server_error") is (told.status >= 500)
    assert (told.retry_after is not None) is (told.status in {429, 503})
    assert told.retry_after is None or 1 <= told.retry_after <= 60
    if any(attempt.spend is not Spend.NONE for attempt in attempts):
        assert told.should_retry is False
