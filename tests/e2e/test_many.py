"""Several images for one request: made side by side, made up for where some fail, and paid for honestly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.e2e.asking import (
    FOUR,
    ask,
    assert_books_agree,
    billed,
    edit,
    error_of,
    story,
    told_cost,
    warned,
)
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import encoded, pictures, scene
from tests.e2e.test_hang_up import in_flight, leave_when, until


def first(provider: str) -> dict[str, Any]:
    """A wish to have this provider asked before the others, at the prices it has."""
    return {"provider": {"order": [provider]}}


def assert_images(response: httpx.Response, count: int) -> None:
    """So many different pictures, each of the size that was asked for."""
    assert response.status_code == 200, response.text[:600]
    found = pictures(response.json())
    assert len(found) == count
    assert {picture.size for picture in found} == {(1376, 768)}
    assert len({picture.convert("RGB").tobytes() for picture in found}) == count


def assert_cost_is_the_sum_of_the_delivering_attempts(response: httpx.Response) -> None:
    metadata = response.json()["metadata"]
    delivering = [attempt for attempt in metadata["attempts"] if attempt["outcome"] == "ok"]
    assert Decimal(metadata["cost_usd"]) == sum(Decimal(attempt["cost_usd"]) for attempt in delivering)
    assert response.headers["x-gateway-cost-usd"] == metadata["cost_usd"]
    assert len(metadata["images"]) == len(response.json()["data"])


@pytest.mark.parametrize("provider", FOUR)
def test_n_images_at_each_provider_and_what_they_cost(plain: str, vendors: Vendors, provider: str) -> None:
    response = ask(plain, model=f"{provider}/{NANO_BANANA_2}", n=6)
    assert_images(response, 6)
    assert_cost_is_the_sum_of_the_delivering_attempts(response)
    assert vendors.sums(provider)["images"] == 6
    assert billed(vendors) == told_cost(response) == Decimal(response.json()["metadata"]["cost_usd"])
    # fal makes four images in one call, the others one.
    assert vendors.sums(provider)["requests"] == (2 if provider == "fal" else 6)
    assert warned(response) == {}


def test_ten_images(plain: str, vendors: Vendors) -> None:
    response = ask(plain, n=10)
    assert_images(response, 10)
    assert_books_agree(response, vendors)


def test_ten_edits(plain: str, vendors: Vendors) -> None:
    response = edit(plain, encoded(scene(320, 180), "PNG"), n=10, size="1376x768")
    assert_images(response, 10)
    assert len(vendors.inputs(response.json()["metadata"]["provider"])) == 10


@pytest.mark.parametrize("kind", ["500", "no_image", "wrong_size", "truncated_image"])
@pytest.mark.parametrize("provider", FOUR)
def test_six_images_though_the_first_choice_fails_every_third_time(
    start: StartGateway, vendors: Vendors, provider: str, kind: str
) -> None:
    url = start()
    # In calls that make one image each, two of six; at fal, which makes four at once, one call of two.
    vendors.fail(provider, kind, count=1 if provider == "fal" else 2)
    response = ask(url, n=6, **first(provider))
    assert_images(response, 6)
    assert_cost_is_the_sum_of_the_delivering_attempts(response)
    # A vendor's bill beyond what was delivered stands with the attempt that caused it.
    assert billed(vendors) == told_cost(response)
    failed = [spend for _, outcome, spend in story(response) if outcome != "ok"]
    assert failed
    assert set(failed) == ({"charged"} if kind in ("wrong_size", "truncated_image") else {"none"})


def test_six_images_while_a_third_of_all_calls_fail_at_random(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.fail("replicate", "503", rate=0.34)
    responses = [ask(url, n=6, **first("replicate")) for _ in range(3)]
    for response in responses:
        assert_images(response, 6)
    assert billed(vendors) == sum(told_cost(response) for response in responses)


def test_what_a_native_call_leaves_short_is_made_up_for(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.fail("fal", "short_count", count=1)
    response = ask(url, n=4, **first("fal"))
    assert_images(response, 4)
    assert_cost_is_the_sum_of_the_delivering_attempts(response)
    assert billed(vendors) == told_cost(response)
    assert sum(vendors.sums(provider)["images"] for provider in FOUR) == 4


def test_a_full_provider_sends_the_rest_elsewhere(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.settle(provider="replicate", concurrency=1, latency_s=60)
    response = ask(url, n=6, **first("replicate"))
    assert_images(response, 6)
    assert len({each["provider"] for each in response.json()["metadata"]["images"]}) > 1
    assert billed(vendors) == told_cost(response)


@pytest.mark.parametrize("kind", ["500", "wrong_ratio", "refusal"])
def test_fewer_images_than_asked_come_with_the_count(start: StartGateway, vendors: Vendors, kind: str) -> None:
    url = start(providers=("gemini",), policy={"max_tries_per_offer": 1})
    vendors.fail("gemini", kind, count=2)
    response = ask(url, n=5)
    assert_images(response, 3)
    assert warned(response)["n"].startswith("3 of 5 images")
    assert_cost_is_the_sum_of_the_delivering_attempts(response)
    assert billed(vendors) == told_cost(response)
    assert [outcome for _, outcome, _ in story(response)].count("ok") == 3


@pytest.mark.parametrize("kind", ["refusal", "flagged_black"])
@pytest.mark.parametrize("provider", FOUR)
def test_refused_altogether_is_one_refusal(start: StartGateway, vendors: Vendors, provider: str, kind: str) -> None:
    url = start()
    vendors.fail(provider, kind)
    error = error_of(ask(url, model=f"{provider}/{NANO_BANANA_2}", n=3), 400)
    assert (error["type"], error["code"]) == ("image_generation_user_error", "moderation_blocked")
    assert billed(vendors) == 0


def test_none_at_all_is_an_error_that_lists_every_attempt(start: StartGateway, vendors: Vendors) -> None:
    url = start(policy={"max_tries_per_offer": 1})
    vendors.fail("*", "500")
    response = ask(url, n=2)
    error_of(response, 503)
    assert len(story(response)) == vendors_asked(vendors)
    assert response.json()["metadata"]["cost_usd"] == "0"


def vendors_asked(vendors: Vendors) -> int:
    total: int = sum(vendors.sums(provider)["requests"] for provider in FOUR)
    return total


@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_a_hang_up_among_many_cancels_every_job(start: StartGateway, vendors: Vendors, provider: str) -> None:
    url = start()
    vendors.settle(provider=provider, latency_s=20 * 150)
    jobs = 2 if provider == "fal" else 6
    leave_when(lambda: vendors.sums(provider)["requests"] >= jobs, url, model=f"{provider}/{NANO_BANANA_2}", n=6)
    assert vendors.sums(provider)["requests"] == jobs
    assert until(lambda: vendors.sums(provider)["cancelled"] == jobs)
    assert vendors.sums(provider)["images"] == 0
    assert until(lambda: in_flight(url) == 0)


def test_a_seed_counts_on_so_that_pictures_differ(plain: str, vendors: Vendors) -> None:
    response = ask(plain, model=f"fal/{NANO_BANANA_2}", n=3, seed=7)
    assert_images(response, 3)
    assert vendors.sums("fal")["requests"] == 3


@pytest.mark.parametrize(("n", "code"), [(0, "invalid_value"), (11, "invalid_value"), ("many", "invalid_value")])
def test_a_number_there_cannot_be_is_refused(plain: str, vendors: Vendors, n: object, code: str) -> None:
    error = error_of(ask(plain, n=n), 400)
    assert (error["param"], error["code"]) == ("n", code)
    assert "10" in error["message"]
    assert vendors.books() == []


def test_a_limit_on_the_price_holds_for_all_images_together(plain: str, vendors: Vendors) -> None:
    cheap = {"provider": {"max_price": {"request": 0.30}}}
    assert_images(ask(plain, n=4, **cheap), 4)
    dear = {"provider": {"max_price": {"request": 0.20}}}
    before = billed(vendors)
    assert ask(plain, n=4, **dear).status_code in (400, 404, 503)
    assert billed(vendors) == before
