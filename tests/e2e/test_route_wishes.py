"""Wishes by the official client: what a caller says in ``extra_body``, and what the operator says, is respected."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openai
import pytest

from app.catalog.catalog import Catalog
from app.demo import simulated_settings
from app.main import create_app
from app.settings import Settings
from providers.registry import PROVIDERS
from routing.prices import PriceTable
from tests.e2e.conftest import NANO_BANANA_2, Vendors
from tests.e2e.pictures import checked
from tests.scaled import scaled_catalog
from tests.servers import running

Prices = Mapping[tuple[str, str], str]
"""USD by provider and tier."""
Connect = Callable[..., openai.OpenAI]
HEDGED_TIME_SCALE = 10.0
"""Slow enough that a first look at a running try comes well after the try began."""


def priced(catalog: Catalog, prices: Prices) -> Catalog:
    """The catalog with these prices in place of its own."""
    lines = tuple(
        replace(
            line,
            images=MappingProxyType(
                {tier: Decimal(prices.get((line.provider, tier.value), price)) for tier, price in line.images.items()}
            ),
        )
        for line in catalog.prices.lines
    )
    return replace(catalog, prices=PriceTable(lines))


@pytest.fixture
def connect(vendors: Vendors, shipped: Catalog, tmp_path: Path) -> Iterator[Connect]:
    """Start a gateway with these prices and knobs, and connect the official client to it."""
    with contextlib.ExitStack() as stack:

        def connected(
            *, prices: Prices = MappingProxyType({}), catalog: Catalog | None = None, **policy: Any
        ) -> openai.OpenAI:
            settings = simulated_settings(Settings(_env_file=None, gateway_spool_dir=tmp_path), PROVIDERS, vendors.url)
            facts = priced(catalog or shipped, prices)
            facts = replace(facts, policy=replace(facts.policy, **policy))
            url = stack.enter_context(running(create_app(settings, catalog=facts)))
            return stack.enter_context(openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0))

        yield connected


def generate(client: openai.OpenAI, model: str = NANO_BANANA_2, **extra: Any) -> dict[str, Any]:
    """The answer's metadata; everything but the model goes by ``extra_body``."""
    body = {"resolution": "1K", **extra}
    answer = client.images.generate(model=model, prompt="a red fox in the snow", extra_body=body).model_dump()
    checked(answer)
    metadata: dict[str, Any] = answer["metadata"]
    return metadata


def tried(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(attempt["provider"], attempt["outcome"]) for attempt in metadata["attempts"]]


def tried_in_vain(refused: openai.APIStatusError) -> list[tuple[str, str]]:
    return tried(refused.response.json()["metadata"])


def asked(vendors: Vendors) -> set[str]:
    return {row["provider"] for row in vendors.books() if row["requests"]}


def break_down(vendors: Vendors, *providers: str) -> None:
    """A fault after which nobody asks the same provider again."""
    for provider in providers:
        vendors.fail(provider, "bad_key")


def test_a_request_at_512_goes_to_another_provider_than_one_at_4k_when_prices_say_so(connect: Connect) -> None:
    client = connect(prices={("fal", "512"): "0.01", ("vertex", "4K"): "0.03"})
    assert generate(client, resolution="1K")["provider"] == "gemini"
    assert generate(client, resolution="512")["provider"] == "fal"
    assert generate(client, resolution="4K")["provider"] == "vertex"


def test_a_provider_without_the_tier_is_never_asked(connect: Connect, vendors: Vendors) -> None:
    client = connect(prices={("replicate", "1K"): "0.001"})
    break_down(vendors, "gemini", "vertex", "fal")
    with pytest.raises(openai.APIStatusError) as failed:
        generate(client, resolution="512")
    assert {provider for provider, _ in tried_in_vain(failed.value)} == {"gemini", "vertex", "fal"}
    assert "replicate" not in asked(vendors)


def test_a_pinned_provider_without_the_tier_is_a_400_that_names_its_tiers(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    for model, extra in ((f"replicate/{NANO_BANANA_2}", {}), (NANO_BANANA_2, {"provider": {"only": ["replicate"]}})):
        with pytest.raises(openai.BadRequestError) as refused:
            generate(client, model, resolution="512", **extra)
        assert refused.value.param == "resolution"
        assert "replicate offers 1K, 2K, 4K" in refused.value.message
    assert asked(vendors) == set()


def test_a_pinned_provider_alone_is_asked(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    assert generate(client, f"vertex/{NANO_BANANA_2}")["provider"] == "vertex"
    break_down(vendors, "vertex")
    with pytest.raises(openai.APIStatusError):
        generate(client, f"vertex/{NANO_BANANA_2}")
    assert asked(vendors) == {"vertex"}


def test_an_ignored_provider_is_not_asked_even_when_all_others_fail(connect: Connect, vendors: Vendors) -> None:
    client = connect(prices={("replicate", "1K"): "0.001"})
    assert generate(client)["provider"] == "replicate"
    vendors.reset()
    break_down(vendors, "gemini", "vertex", "fal")
    with pytest.raises(openai.APIStatusError):
        generate(client, provider={"ignore": ["replicate"]})
    assert asked(vendors) == {"gemini", "vertex", "fal"}


def test_only_the_providers_of_only_are_asked(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    break_down(vendors, "fal")
    metadata = generate(client, provider={"only": ["fal", "vertex"]}, policy="fastest")
    assert tried(metadata) == [("fal", "credentials"), ("vertex", "ok")]
    assert asked(vendors) == {"fal", "vertex"}


def test_order_goes_before_price_and_the_others_follow(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    break_down(vendors, "vertex", "fal")
    metadata = generate(client, provider={"order": ["vertex", "fal"]}, policy="cheapest")
    assert tried(metadata) == [("vertex", "credentials"), ("fal", "credentials"), ("gemini", "ok")]


def test_without_fallbacks_nobody_outside_the_order_is_asked(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    break_down(vendors, "vertex")
    with pytest.raises(openai.APIStatusError) as failed:
        generate(client, provider={"order": ["vertex"], "allow_fallbacks": False})
    assert tried_in_vain(failed.value) == [("vertex", "credentials")]


def test_nobody_above_the_maximum_price_is_asked(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    break_down(vendors, "gemini", "replicate")
    metadata = generate(client, provider={"max_price": {"image": 0.07}}, policy="fastest")
    assert tried(metadata)[-1] == ("vertex", "ok")
    assert "fal" not in asked(vendors)


def test_nothing_affordable_is_a_400_that_names_the_cheapest_price(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    for resolution, price in (("512", "$0.0448"), ("1K", "$0.067"), ("4K", "$0.151")):
        with pytest.raises(openai.BadRequestError) as refused:
            generate(client, resolution=resolution, provider={"max_price": 0.01})
        assert refused.value.param == "provider.max_price"
        assert price in refused.value.message
    assert asked(vendors) == set()


def test_a_capped_provider_never_has_more_at_once_and_the_rest_goes_elsewhere(
    connect: Connect, vendors: Vendors
) -> None:
    client = connect(prices={("replicate", "1K"): "0.001"}, caps={"replicate": 2})
    vendors.settle(provider="*", latency_s=600.0)  # 4 s of real time: all eight are under way at once
    vendors.settle(provider="replicate", concurrency=2)  # a third at once would be told as rate_limited
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: generate(client), range(8)))
    assert [outcome for answer in answers for _, outcome in tried(answer)] == ["ok"] * 8
    assert [answer["provider"] for answer in answers].count("replicate") == 2


def test_a_forbidden_provider_is_not_asked_whoever_asks(connect: Connect, vendors: Vendors) -> None:
    client = connect(prices={("replicate", "1K"): "0.001"}, forbidden_providers=frozenset({"replicate"}))
    assert generate(client, policy="cheapest")["provider"] == "gemini"
    with pytest.raises(openai.BadRequestError) as refused:
        generate(client, f"replicate/{NANO_BANANA_2}")
    assert "replicate is not used by this gateway" in refused.value.message
    assert "replicate" not in asked(vendors)


def test_a_weight_prefers_a_provider_to_its_figures(connect: Connect) -> None:
    assert generate(connect(weights={"vertex": 5.0}))["provider"] == "vertex"


@pytest.mark.parametrize(
    ("model", "extra", "provider"),
    [
        (NANO_BANANA_2, {"policy": "cheapest"}, "replicate"),
        (NANO_BANANA_2, {"policy": "fastest"}, "fal"),
        (f"{NANO_BANANA_2}:floor", {}, "replicate"),
        (f"{NANO_BANANA_2}:nitro", {}, "fal"),
        (NANO_BANANA_2, {"provider": {"sort": "price"}}, "replicate"),
        (NANO_BANANA_2, {"provider": {"sort": "latency"}}, "fal"),
        (NANO_BANANA_2, {"value_of_time": 0}, "replicate"),
        (NANO_BANANA_2, {"value_of_time": 1}, "fal"),
    ],
)
def test_what_is_valued_decides_who_is_asked(
    connect: Connect, model: str, extra: dict[str, Any], provider: str
) -> None:
    client = connect(prices={("replicate", "1K"): "0.06"})
    assert generate(client, model, **extra)["provider"] == provider


def test_the_next_model_of_the_list_is_made_when_the_first_cannot_be(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    break_down(vendors, "gemini")
    metadata = generate(client, f"gemini/{NANO_BANANA_2}", models=["flux-schnell"])
    assert metadata["model"] == "flux-schnell"
    assert [outcome for _, outcome in tried(metadata)] == ["credentials", "ok"]
    assert asked(vendors) == {"gemini", metadata["provider"]}


def test_a_request_ends_with_its_own_timeout(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    vendors.settle(provider="*", latency_s=20 * 150)  # 20 s of real time
    begun = time.monotonic()
    with pytest.raises(openai.APIStatusError) as failed:
        generate(client, timeout=1)
    assert time.monotonic() - begun < 10.0
    assert failed.value.status_code == 504
    assert "1 s" in failed.value.message


def test_a_hedge_delivers_while_the_first_hangs_and_the_loser_is_cancelled_at_its_vendor(
    connect: Connect, vendors: Vendors
) -> None:
    vendors.settle(provider="*", time_scale=HEDGED_TIME_SCALE)
    vendors.fail("fal", "hang")
    facts = scaled_catalog(HEDGED_TIME_SCALE, changed={"policies.fastest.hedge_share": "1.0"})
    client = connect(catalog=facts)
    metadata = generate(client, policy="fastest", hedge=True, value_of_time=10)
    assert metadata["provider"] == "gemini"
    loser, winner = sorted(metadata["attempts"], key=lambda attempt: attempt["hedge"])
    assert (loser["provider"], loser["outcome"]) == ("fal", "abandoned")
    assert (winner["provider"], winner["outcome"], winner["hedge"]) == ("gemini", "ok", True)
    give_up = time.monotonic() + 20.0
    while not (cancelled := vendors.sums("fal")["cancelled"]) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert cancelled == 1
    assert vendors.sums("gemini")["images"] == 1


def test_nobody_is_asked_beside_the_first_without_the_wish(connect: Connect, vendors: Vendors) -> None:
    vendors.settle(provider="*", time_scale=HEDGED_TIME_SCALE)
    vendors.fail("fal", "hang", count=1)
    client = connect(catalog=scaled_catalog(HEDGED_TIME_SCALE, changed={"policies.fastest.hedge_share": "1.0"}))
    metadata = generate(client, policy="fastest", value_of_time=10)
    assert tried(metadata) == [("fal", "timed_out"), ("gemini", "ok")]
    assert not any(attempt["hedge"] for attempt in metadata["attempts"])


def test_a_ladder_asks_every_provider_about_a_refused_prompt(connect: Connect, vendors: Vendors) -> None:
    client = connect(refusal_policy="ladder")
    vendors.fail("gemini", "refusal")
    vendors.fail("replicate", "refusal")
    assert tried(generate(client))[-1][1] == "ok"
    vendors.fail("*", "refusal")
    with pytest.raises(openai.BadRequestError) as refused:
        generate(client)
    assert refused.value.code == "moderation_blocked"
    assert {outcome for _, outcome in tried_in_vain(refused.value)} == {"content_refused"}


def test_a_second_opinion_is_asked_of_a_provider_that_refuses_more_than_the_others(
    connect: Connect, vendors: Vendors
) -> None:
    client = connect(refusal_policy="second_opinion")
    for provider in ("vertex", "fal", "replicate"):
        generate(client, f"{provider}/{NANO_BANANA_2}")
    vendors.fail("gemini", "refusal")
    for _ in range(3):
        with pytest.raises(openai.BadRequestError):
            generate(client, f"gemini/{NANO_BANANA_2}")
    metadata = generate(client, provider={"order": ["gemini"]})
    assert [outcome for _, outcome in tried(metadata)] == ["content_refused", "ok"]
    vendors.fail("*", "refusal")
    with pytest.raises(openai.BadRequestError) as refused:
        generate(client, provider={"order": ["gemini"]})
    assert [outcome for _, outcome in tried_in_vain(refused.value)] == ["content_refused"] * 2


def test_a_dry_run_with_wishes_is_the_plan_and_nobody_is_asked(connect: Connect, vendors: Vendors) -> None:
    client = connect()
    answer = client.images.with_raw_response.generate(
        model=NANO_BANANA_2,
        prompt="a fox",
        extra_body={"dry_run": True, "provider": {"ignore": ["gemini"], "order": ["vertex"]}},
    )
    plan = answer.http_response.json()
    assert plan["candidates"][0]["provider"] == "vertex"
    assert [rejection["provider"] for rejection in plan["rejected"]] == ["gemini"]
    assert asked(vendors) == set()
