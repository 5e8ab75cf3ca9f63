"""Deliveries that are not the image asked for: caught, cured by the next offer, bought again at most once."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from tests.e2e.asking import FOUR, ask, assert_books_agree, billed, edit, error_of, metric, story, told_cost
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import checked, encoded, scene

SPOILED = {
    "truncated_base64": "readable",
    "truncated_image": "complete",
    "wrong_size": "area",
    "wrong_ratio": "ratio",
    "not_an_image": "header",
}
"""What the vendor bills and nobody can use, and the check that finds it."""
CASES = list(product(FOUR, SPOILED))
BIG = {"resolution": "4K", "aspect_ratio": "1:1", "size": None}


@pytest.mark.parametrize(("provider", "kind"), CASES)
def test_the_next_offer_cures_a_bad_delivery_and_both_payments_are_told(
    start: StartGateway, vendors: Vendors, provider: str, kind: str
) -> None:
    url = start()
    vendors.fail(provider, kind)
    response = ask(url, provider={"order": [provider]})
    assert response.status_code == 200, response.text[:600]
    assert checked(response.json()).size == (1376, 768)
    spoilt, good = story(response)
    assert spoilt == (provider, "bad_reply", "charged")
    assert good[0] != provider
    assert good[1:] == ("ok", "charged")
    # The caller pays for the image; what the spoilt one cost stands with its attempt and in the books.
    metadata = response.json()["metadata"]
    assert metadata["cost_usd"] == metadata["attempts"][1]["cost_usd"]
    assert Decimal(metadata["attempts"][0]["cost_usd"]) == vendors.sums(provider)["billed"] > 0
    assert billed(vendors) == told_cost(response)
    assert metric(url, "gateway_rejected_deliveries_total", provider=provider, check=SPOILED[kind]) == 1
    assert metric(url, "gateway_rejected_deliveries_total") == 1
    assert_books_agree(response, vendors)


@pytest.mark.parametrize(("provider", "kind"), CASES)
def test_without_a_second_offer_it_is_a_502_that_says_so(
    start: StartGateway, vendors: Vendors, provider: str, kind: str
) -> None:
    url = start(providers=(provider,), policy={"max_tries_per_offer": 1})
    vendors.fail(provider, kind)
    response = ask(url)
    error = error_of(response, 502)
    assert error["type"] == "server_error"
    assert error["message"]
    assert "Traceback" not in error["message"]
    assert story(response) == [(provider, "bad_reply", "charged")]
    # The official clients would try again by themselves, and pay again.
    assert response.headers["x-should-retry"] == "false"
    assert vendors.sums(provider)["images"] == 1
    assert metric(url, "gateway_rejected_deliveries_total", provider=provider, check=SPOILED[kind]) == 1


@pytest.mark.parametrize("kind", SPOILED)
def test_at_most_one_more_is_bought(start: StartGateway, vendors: Vendors, kind: str) -> None:
    url = start()
    vendors.fail("*", kind)
    response = ask(url)
    error_of(response, 502)
    assert [spend for _, _, spend in story(response)] == ["charged", "charged"]
    assert sum(vendors.sums(provider)["images"] for provider in FOUR) == 2
    assert billed(vendors) == told_cost(response)
    assert metric(url, "gateway_rejected_deliveries_total", check=SPOILED[kind]) == 2


@pytest.mark.parametrize("provider", FOUR)
def test_a_small_picture_for_a_4k_one_is_caught(start: StartGateway, vendors: Vendors, provider: str) -> None:
    url = start()
    # One tier smaller for one tier more: what several gateways pass on in silence.
    vendors.fail(provider, "wrong_size", count=1)
    response = ask(url, provider={"order": [provider]}, **BIG)
    assert response.status_code == 200, response.text[:600]
    assert checked(response.json()).size == (4096, 4096)
    assert story(response)[0] == (provider, "bad_reply", "charged")
    assert metric(url, "gateway_rejected_deliveries_total", provider=provider, check="area") == 1


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
def test_an_interim_picture_is_never_the_answer(start: StartGateway, vendors: Vendors, provider: str) -> None:
    url = start(providers=(provider,))
    vendors.fail(provider, "thought_first")
    for _ in range(2):  # by turns marked as a thought and not
        response = ask(url)
        assert checked(response.json()).size == (1376, 768)
        assert story(response) == [(provider, "ok", "charged")]
    assert metric(url, "gateway_rejected_deliveries_total") == 0
    assert vendors.sums(provider)["images"] == 2


@pytest.mark.parametrize("provider", FOUR)
def test_a_black_picture_that_the_vendor_flagged_is_a_refusal(
    start: StartGateway, vendors: Vendors, provider: str
) -> None:
    url = start()
    vendors.fail(provider, "flagged_black")
    error = error_of(ask(url, provider={"order": [provider]}), 400)
    assert (error["type"], error["code"]) == ("image_generation_user_error", "moderation_blocked")
    assert billed(vendors) == 0


@pytest.mark.parametrize("provider", FOUR)
def test_a_black_picture_is_cured_where_refusals_are_asked_elsewhere(
    start: StartGateway, vendors: Vendors, provider: str
) -> None:
    url = start(policy={"refusal_policy": "ladder"})
    vendors.fail(provider, "flagged_black")
    response = ask(url, provider={"order": [provider]})
    assert checked(response.json()).size == (1376, 768)
    assert story(response)[0] == (provider, "content_refused", "none")
    assert billed(vendors) == told_cost(response)


@pytest.mark.parametrize("provider", FOUR)
def test_html_of_an_edge_server_is_no_image(start: StartGateway, vendors: Vendors, provider: str) -> None:
    url = start()
    vendors.fail(provider, "html_502")
    response = ask(url, provider={"order": [provider]})
    assert checked(response.json()).size == (1376, 768)
    assert story(response)[0] == (provider, "overloaded", "none")
    assert_books_agree(response, vendors)


@pytest.mark.parametrize("kind", ["truncated_image", "wrong_ratio", "not_an_image"])
def test_edits_are_verified_too(start: StartGateway, vendors: Vendors, kind: str) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", kind)
    response = edit(url, encoded(scene(640, 360), "PNG"), size="1376x768")
    assert response.status_code == 200, response.text[:600]
    assert checked(response.json()).size == (1376, 768)
    assert story(response)[0] == ("replicate", "bad_reply", "charged")
    assert metric(url, "gateway_rejected_deliveries_total", provider="replicate", check=SPOILED[kind]) == 1


def test_a_spoilt_image_is_found_before_it_is_converted(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", "truncated_image")
    response = ask(url, output_format="avif")
    assert checked(response.json()).format == "AVIF"
    assert story(response)[0] == ("replicate", "bad_reply", "charged")


def test_a_good_delivery_counts_nowhere_as_rejected(start: StartGateway) -> None:
    url = start()
    assert ask(url, model=f"fal/{NANO_BANANA_2}").status_code == 200
    assert metric(url, "gateway_rejected_deliveries_total") == 0
