"""All four vendors fail in the same way, in every way: one clear error in the envelope, true, in time."""

from __future__ import annotations

import time

import httpx
import pytest

from routing.knobs import LimitKnobs
from simulator.faults import EVERYONE, Kind, able
from tests.e2e.asking import ask, assert_books_agree, metric, story
from tests.e2e.conftest import StartGateway, Vendors

EXPECTED = {
    Kind.TOO_MANY: (429, "rate_limit_error", "rate_limit_exceeded"),
    Kind.INTERNAL: (503, "server_error", "provider_unavailable"),
    Kind.UNAVAILABLE: (503, "server_error", "provider_unavailable"),
    Kind.HTML_502: (503, "server_error", "provider_unavailable"),
    Kind.HANG: (504, "server_error", "provider_timeout"),
    Kind.DRIP: (504, "server_error", "provider_timeout"),
    Kind.RESET: (503, "server_error", "provider_unavailable"),
    Kind.TRUNCATED_BASE64: (502, "server_error", "provider_bad_reply"),
    Kind.TRUNCATED_IMAGE: (502, "server_error", "provider_bad_reply"),
    Kind.NO_IMAGE: (502, "server_error", "provider_bad_reply"),
    Kind.REFUSAL: (400, "image_generation_user_error", "moderation_blocked"),
    Kind.WRONG_SIZE: (502, "server_error", "provider_bad_reply"),
    Kind.WRONG_RATIO: (502, "server_error", "provider_bad_reply"),
    Kind.NOT_AN_IMAGE: (502, "server_error", "provider_bad_reply"),
    Kind.FLAGGED_BLACK: (400, "image_generation_user_error", "moderation_blocked"),
    Kind.SHORT_COUNT: (502, "server_error", "provider_bad_reply"),
    Kind.RETIRED: (502, "server_error", "provider_bad_reply"),
    Kind.OUT_OF_FUNDS: (502, "server_error", "provider_bad_reply"),
    Kind.BAD_KEY: (502, "server_error", "provider_bad_reply"),
}
ONCE = {"max_tries_per_offer": 1}
VENDOR_WORDS = ("Simulated", "quota", "Exhausted balance", "E003", "<html", "googleapis")


def assert_envelope(response: httpx.Response) -> None:
    body = response.json()
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    for word in VENDOR_WORDS:
        assert word not in body["error"]["message"]


@pytest.mark.parametrize("kind", [kind for kind in Kind if able(kind) == EVERYONE])
def test_one_clear_error_when_everybody_fails_alike(start: StartGateway, vendors: Vendors, kind: Kind) -> None:
    # Four that say nothing use up their time. The others have enough to say what they say on a busy machine.
    url = start(attempt_limit_s=1.5 if kind in {Kind.HANG, Kind.DRIP} else 4.0)
    vendors.fail("*", kind.value)
    began = time.monotonic()
    response = ask(url, timeout=8)
    assert time.monotonic() - began < 16
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"]) == EXPECTED[kind]
    assert_envelope(response)
    assert_books_agree(response, vendors)
    spent = any(spend != "none" for _, _, spend in story(response))
    if spent or kind in {Kind.REFUSAL, Kind.FLAGGED_BLACK}:
        assert response.headers["x-should-retry"] == "false"
    else:
        assert "x-should-retry" not in response.headers
    if response.status_code in {429, 503}:
        assert 1 <= int(response.headers["retry-after"]) <= 60
    else:
        assert "retry-after" not in response.headers


def test_the_deadline_of_the_caller_is_kept_and_told(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.fail("*", "hang")
    began = time.monotonic()
    response = ask(url, timeout=1)
    assert 0.9 < time.monotonic() - began < 10
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (504, "provider_timeout")
    assert "1 s" in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert (story(response)[0][2], metric(url, "gateway_cost_usd_total")) == ("possible", 0.0)
    assert metric(url, "gateway_possible_cost_usd_total") == pytest.approx(0.0672)


def test_a_rate_limit_everywhere_names_the_shortest_wait(start: StartGateway, vendors: Vendors) -> None:
    url = start(policy={**ONCE, "limits": LimitKnobs(max_wait_s=0.1)})
    for provider, wait in (("gemini", 40), ("fal", 30), ("replicate", 12)):
        vendors.fail(provider, "429", params={"retry_after": wait})
    vendors.fail("vertex", "429")
    first = ask(url, model="nano-banana-2")
    assert first.status_code == 429
    assert 1 <= int(first.headers["retry-after"]) <= 12
    again = ask(url)
    assert again.status_code == 429
    assert again.json()["error"]["code"] == "rate_limit_exceeded"
    # Who stated no wait is left alone for a quarter of a second, which may be over on a busy machine.
    assert {provider for provider, *_ in story(again)} <= {"vertex"}


def test_a_rate_limit_everywhere_is_waited_out_when_it_is_short(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.fail("*", "429", count=4, params={"retry_after": 1})
    response = ask(url, model="nano-banana-2")
    assert response.status_code == 200
    assert [outcome for _, outcome, _ in story(response)] == ["rate_limited"] * 4 + ["ok"]


def test_one_provider_pinned_is_tried_again_after_a_moment(start: StartGateway, vendors: Vendors) -> None:
    url = start(policy={"again_after_s": 0.1})
    vendors.fail("fal", "503", count=1)
    response = ask(url, model="fal/nano-banana-2")
    assert (response.status_code, story(response)[-1]) == (200, ("fal", "ok", "charged"))


def test_one_provider_pinned_and_down_gives_its_own_fault(start: StartGateway, vendors: Vendors) -> None:
    url = start(policy=ONCE)
    vendors.fail("fal", "503")
    response = ask(url, model="fal/nano-banana-2")
    assert (response.status_code, story(response)) == (503, [("fal", "overloaded", "none")])


def test_a_vendor_that_is_not_there_is_unreachable(start: StartGateway) -> None:
    url = start(providers=("gemini",), policy=ONCE, fal_key="k", fal_base_url="http://127.0.0.1:9")
    response = ask(url, model="fal/nano-banana-2")
    assert (response.status_code, story(response)) == (503, [("fal", "unreachable", "none")])
