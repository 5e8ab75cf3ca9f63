"""The figures of every offer as seen from outside: shape, silence, ranks, and that looking changes nothing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from app.catalog.catalog import Catalog
from app.doors.openai_images.route_plan import explained
from app.doors.ops.rankings import FRESH_S, Rankings, plainest, rows_of
from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.board import Board
from routing.breaker import BreakerState
from routing.health import HealthState
from routing.knobs import Objective
from routing.stats.outcome import OutcomeKind
from tests.unit.app.catalog.shipped import FLUX, NB2
from tests.unit.app.doors.traffic import CATALOG, NOW, blocked, board, choice, deliveries, ended

WINDOWS = ("5m", "1h", "24h", "30d")
FIGURES = ("success", "success_low", "success_high", "p50_s", "p95_s", "p99_s", "ttfb_p50_s")
POLICIES = ("cheapest", "balanced", "fastest", "most_reliable")


class Clock:
    """Unix seconds as the test says."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def rows(of: Board, model: str = NB2, *, now: float = NOW, catalog: Catalog = CATALOG) -> list[dict[str, Any]]:
    return [row for some in rows_of(catalog, of, model, now=now) for row in some]


def row(
    of: Board, provider: str, resolution: str = "1K", operation: str = "generate", *, now: float = NOW
) -> dict[str, Any]:
    found = [
        each
        for each in rows(of, now=now)
        if (each["provider"], each["resolution"], each["operation"]) == (provider, resolution, operation)
    ]
    assert len(found) == 1
    return found[0]


def test_a_row_without_traffic_has_a_price_ranks_and_no_figures() -> None:
    assert row(board(), "replicate") == {
        "provider": "replicate",
        "model": NB2,
        "operation": "generate",
        "resolution": "1K",
        "price_usd": "0.067",
        "state": "serving",
        "rank": {"cheapest": 2, "balanced": 2, "fastest": 3, "most_reliable": 2},
        "windows": {name: {"samples": 0, **dict.fromkeys(FIGURES)} for name in WINDOWS},
    }


def test_there_is_one_row_for_everything_an_offer_sells() -> None:
    for name in CATALOG.models:
        sold = [
            (offer.provider, operation.value, resolution.value)
            for offer in CATALOG.offers
            if offer.model == name
            for operation in offer.capability.operations
            for resolution in offer.capability.resolutions
        ]
        told = [(each["provider"], each["operation"], each["resolution"]) for each in rows(board(), name)]
        assert sorted(told) == sorted(sold)
        assert len(set(told)) == len(told)


def test_every_row_of_the_shipped_catalog_has_a_price_and_can_be_sent() -> None:
    for name in CATALOG.models:
        for each in rows(board(), name):
            assert float(each["price_usd"]) > 0
            json.dumps(each, allow_nan=False)


def test_an_edit_is_priced_with_one_input_image() -> None:
    generated, edited = row(board(), "gemini"), row(board(), "gemini", operation="edit")
    assert (generated["price_usd"], edited["price_usd"]) == ("0.0672", "0.06776")


def test_the_plainest_request_is_one_nobody_objects_to() -> None:
    for offer in CATALOG.offers:
        for operation in offer.capability.operations:
            for resolution in offer.capability.resolutions:
                assert offer.capability.objection(plainest(offer.model, operation, resolution)) is None


def test_ranks_count_from_one_among_those_who_sell_the_resolution() -> None:
    at_512 = [each for each in rows(board()) if (each["operation"], each["resolution"]) == ("generate", "512")]
    assert {each["provider"] for each in at_512} == {"gemini", "vertex", "fal"}
    for policy in POLICIES:
        assert sorted(each["rank"][policy] for each in at_512) == [1, 2, 3]


def test_traffic_fills_the_windows_it_lies_in() -> None:
    told = board()
    deliveries(told, "fal", [10.0] * 30, at=NOW - 60.0)
    deliveries(told, "fal", [1.0] * 10, at=NOW - 60.0, kind=OutcomeKind.FAILED)
    deliveries(told, "fal", [20.0] * 60, at=NOW - 7200.0)
    deliveries(told, "fal", [3.0] * 7, at=NOW - 60.0, kind=OutcomeKind.REFUSED)
    windows = row(told, "fal")["windows"]
    assert [windows[name]["samples"] for name in WINDOWS] == [40, 40, 100, 100]
    short = windows["5m"]
    assert short["success"] == 0.75
    assert short["success_low"] < 0.75 < short["success_high"]
    assert short["p50_s"] == pytest.approx(10.0, rel=0.02)
    assert short["p99_s"] == pytest.approx(10.0, rel=0.02)
    assert short["ttfb_p50_s"] == pytest.approx(5.0, rel=0.02)
    assert windows["24h"]["success"] == 0.9
    assert windows["24h"]["p95_s"] == pytest.approx(20.0, rel=0.02)
    assert row(told, "fal", "2K")["windows"]["5m"]["samples"] == 0
    assert row(told, "gemini")["windows"]["5m"]["samples"] == 0


def test_a_provider_that_became_slow_falls_in_rank_where_time_counts() -> None:
    told = board()
    assert row(told, "fal")["rank"]["fastest"] == 1
    deliveries(told, "fal", [200.0] * 40)
    assert row(told, "fal")["rank"]["fastest"] == 4


def test_a_blocked_provider_has_no_rank_and_the_others_move_up() -> None:
    told = board()
    assert row(told, "gemini")["rank"]["balanced"] == 1
    blocked(told, "gemini")
    kept_back = row(told, "gemini")
    assert kept_back["state"] == HealthState.BLOCKED.value
    assert kept_back["rank"] == dict.fromkeys(POLICIES)
    assert row(told, "replicate")["rank"]["balanced"] == 1
    assert row(told, "gemini", now=NOW + 61.0)["rank"]["balanced"] == 1


def test_a_provider_without_a_valid_key_is_out() -> None:
    told = board()
    ended(told, "fal", Fault.CREDENTIALS)
    assert row(told, "fal")["state"] == "out"
    assert row(told, "fal", "4K", "edit")["rank"] == dict.fromkeys(POLICIES)


def test_when_all_are_kept_back_they_are_ranked_as_the_last_resort() -> None:
    told = board()
    for provider, wait_s in (("gemini", 60.0), ("vertex", 50.0), ("fal", 40.0), ("replicate", 30.0)):
        blocked(told, provider, wait_s=wait_s)
    ranks = {each: row(told, each)["rank"]["balanced"] for each in ("replicate", "fal", "vertex", "gemini")}
    assert ranks == {"replicate": 1, "fal": 2, "vertex": 3, "gemini": 4}


def test_a_policy_the_operator_named_is_ranked_too() -> None:
    hasty = Objective(value_of_time_usd_per_s=1.0)
    policy = replace(CATALOG.policy, objectives=MappingProxyType({**CATALOG.policy.objectives, "hasty": hasty}))
    catalog = replace(CATALOG, policy=policy)
    told = rows(board(catalog), catalog=catalog)
    assert all(set(each["rank"]) == {*POLICIES, "hasty"} for each in told)
    assert next(each for each in told if each["provider"] == "fal")["rank"]["hasty"] == 1


def test_a_probe_that_is_due_changes_no_rank() -> None:
    told = board()
    before = [each["rank"] for each in rows(told)]
    for _ in range(200):
        told.arrived(0.05)
    plan: Any = explained([choice()], told, CATALOG.prices, CATALOG.policy, now=NOW)
    assert "a probe" in plan["candidates"][0]["reason"], "the next request would look at somebody else"
    assert [each["rank"] for each in rows(told)] == before


def test_looking_asks_for_no_lease_and_leaves_the_number_of_replicas() -> None:
    told = board()
    told.replicas = 3
    for _ in range(400):
        told.arrived(0.05)
    for _ in range(12):
        ended(told, "gemini", Fault.OVERLOADED)
    told.wanted_leases(now=NOW)
    later = NOW + CATALOG.policy.exploration.lease_s + CATALOG.policy.breaker.max_open_s
    told.wanted_leases(now=later)
    assert told.breaker(f"gemini/{NB2}").state(now=later) is BreakerState.HALF_OPEN
    assert row(told, "gemini", now=later)["state"] == "open", "nobody may try it out without the lease"
    assert told.wanted_leases(now=later) == frozenset()
    assert told.replicas == 3
    told.healths(CATALOG.offers, Operation.GENERATE, Resolution.R1K, now=later)
    assert f"gemini/{NB2}" in told.wanted_leases(now=later), "a request does ask"
    told.granted(f"gemini/{NB2}", later + 60.0)
    assert row(told, "gemini", now=later)["state"] == "half_open"


async def test_a_pinned_name_shows_one_provider_with_its_rank_among_all() -> None:
    rankings = Rankings(CATALOG, board(), Clock())
    found = CATALOG.find("vertex/nano-banana-2", default_model=NB2)
    told = await rankings.of(found)
    assert {each["provider"] for each in told} == {"vertex"}
    assert len(told) == 8
    assert told[1]["rank"]["balanced"] == 4  # type: ignore[index]


async def test_a_name_with_a_resolution_shows_that_resolution() -> None:
    told = await Rankings(CATALOG, board(), Clock()).of(CATALOG.find("nano-banana-2-4k:floor", default_model=NB2))
    assert [(each["provider"], each["resolution"]) for each in told] == [
        (provider, "4K") for _ in Operation for provider in ("gemini", "vertex", "fal", "replicate")
    ]


async def test_all_rows_come_in_the_order_of_the_configuration() -> None:
    told = await Rankings(CATALOG, board(), Clock()).of_all()
    models = list(dict.fromkeys(each["model"] for each in told))
    assert models == list(CATALOG.models)
    assert len(told) == sum(len(rows(board(), name)) for name in CATALOG.models)


async def test_rows_are_worked_out_again_after_a_second() -> None:
    told, clock = board(), Clock()
    rankings = Rankings(CATALOG, told, clock)
    flux = CATALOG.find(FLUX, default_model=NB2)
    first = await rankings.of(flux)
    clock.now += FRESH_S / 2
    assert (await rankings.of(flux))[0] is first[0]
    clock.now += FRESH_S
    again = await rankings.of(flux)
    assert again[0] is not first[0]
    assert again == first


async def test_others_have_their_turn_while_rows_are_worked_out() -> None:
    rankings = Rankings(CATALOG, board(), Clock())
    working = asyncio.create_task(rankings.of_all())
    turns = 0
    while not working.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 20
