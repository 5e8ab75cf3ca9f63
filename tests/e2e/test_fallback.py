"""The cheapest provider fails in every way the simulator knows; the client gets its image from the next."""

from __future__ import annotations

import pytest

from simulator.faults import Kind, able
from simulator.vendors import Vendor
from tests.e2e.asking import ask, assert_books_agree, story
from tests.e2e.conftest import StartGateway, Vendors
from tests.e2e.pictures import checked

SILENT_S = 3.5
"""What one try may last where a silent one has to use it up."""
ATTEMPT_LIMIT_S = 6.0
"""And where none is silent: a picture that is paid for is downloaded up to three times, with pauses."""
SILENT = {Kind.HANG, Kind.DRIP}

RECOVERED_BY_ITSELF = {Kind.THOUGHT_FIRST, Kind.PROCESSING_WITH_OUTPUT}
REFUSED = {Kind.REFUSAL, Kind.FLAGGED_BLACK}
OUTCOMES = {
    Kind.TOO_MANY: "rate_limited",
    Kind.INTERNAL: "overloaded",
    Kind.UNAVAILABLE: "overloaded",
    Kind.HTML_502: "overloaded",
    Kind.HANG: "timed_out",
    Kind.DRIP: "timed_out",
    Kind.RESET: "unreachable",
    Kind.TRUNCATED_BASE64: "bad_reply",
    Kind.TRUNCATED_IMAGE: "bad_reply",
    Kind.NO_IMAGE: "bad_reply",
    Kind.WRONG_SIZE: "bad_reply",
    Kind.WRONG_RATIO: "bad_reply",
    Kind.NOT_AN_IMAGE: "bad_reply",
    Kind.SHORT_COUNT: "bad_reply",
    Kind.ABORTED: "overloaded",
    Kind.RETIRED: "model_gone",
    Kind.OUT_OF_FUNDS: "out_of_funds",
    Kind.BAD_KEY: "credentials",
}
CHARGED = {Kind.TRUNCATED_BASE64, Kind.TRUNCATED_IMAGE, Kind.WRONG_SIZE, Kind.WRONG_RATIO, Kind.NOT_AN_IMAGE}
FREE = {
    Kind.TOO_MANY, Kind.INTERNAL, Kind.UNAVAILABLE, Kind.HTML_502, Kind.NO_IMAGE, Kind.ABORTED,
    Kind.RETIRED, Kind.OUT_OF_FUNDS, Kind.BAD_KEY,
}  # fmt: skip

CASES = [(vendor.value, kind) for vendor in Vendor for kind in Kind if vendor in able(kind)]


@pytest.mark.parametrize(("provider", "kind"), [case for case in CASES if case[1] in OUTCOMES])
def test_the_next_provider_delivers_when_the_cheapest_fails(
    start: StartGateway, vendors: Vendors, provider: str, kind: Kind
) -> None:
    url = start(cheapest=provider, attempt_limit_s=SILENT_S if kind in SILENT else ATTEMPT_LIMIT_S)
    vendors.fail(provider, kind.value)
    response = ask(url)
    assert response.status_code == 200, response.text[:600]
    assert checked(response.json()).size == (1376, 768)
    first, *_, last = story(response)
    assert first[:2] == (provider, OUTCOMES[kind])
    assert last[0] != provider
    assert last[1:] == ("ok", "charged")
    if kind in CHARGED:
        assert first[2] == "charged"
    if kind in FREE:
        assert first[2] == "none"
    assert response.headers["x-gateway-attempts"] == "2"
    assert response.headers["x-gateway-provider"] == last[0]
    assert_books_agree(response, vendors)


@pytest.mark.parametrize(("provider", "kind"), [case for case in CASES if case[1] in REFUSED])
def test_a_refusal_is_final(start: StartGateway, vendors: Vendors, provider: str, kind: Kind) -> None:
    url = start(cheapest=provider)
    vendors.fail(provider, kind.value)
    for _ in range(2):  # some vendors refuse in two ways, by turns
        response = ask(url)
        assert response.status_code == 400
        error = response.json()["error"]
        assert (error["type"], error["code"]) == ("image_generation_user_error", "moderation_blocked")
        assert response.headers["x-should-retry"] == "false"
        assert [attempt[:2] for attempt in story(response)] == [(provider, "content_refused")]
    assert {row["provider"] for row in vendors.books() if row["requests"]} == {provider}


@pytest.mark.parametrize(("provider", "kind"), [case for case in CASES if case[1] in RECOVERED_BY_ITSELF])
def test_a_harmless_oddity_is_no_failure(start: StartGateway, vendors: Vendors, provider: str, kind: Kind) -> None:
    url = start(cheapest=provider)
    vendors.fail(provider, kind.value)
    for _ in range(2):
        response = ask(url)
        assert response.status_code == 200
        assert checked(response.json()).size == (1376, 768)
        assert story(response) == [(provider, "ok", "charged")]
    assert_books_agree_on(vendors, provider, images=2)


def assert_books_agree_on(vendors: Vendors, provider: str, *, images: int) -> None:
    assert vendors.sums(provider)["images"] == images


def test_every_kind_is_expected_to_do_something() -> None:
    assert set(OUTCOMES) | REFUSED | RECOVERED_BY_ITSELF == set(Kind)


def test_a_provider_that_states_a_wait_is_left_alone_for_it(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", "429", count=1, params={"retry_after": 30})
    assert story(ask(url))[0][:2] == ("replicate", "rate_limited")
    assert "replicate" not in [attempt[0] for attempt in story(ask(url))]
    assert vendors.sums("replicate")["requests"] <= 1


def test_a_provider_with_a_bad_key_is_asked_once_and_then_left_alone(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="fal")
    vendors.fail("fal", "bad_key")
    assert [len(story(ask(url))) for _ in range(3)] == [2, 1, 1]


def test_no_more_than_two_providers_may_be_paid(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.fail("*", "wrong_size")
    response = ask(url)
    assert response.status_code == 502
    assert [spend for _, _, spend in story(response)] == ["charged", "charged"]
    assert response.headers["x-should-retry"] == "false"
    assert_books_agree(response, vendors)
