"""Route plans as callers read them: shape, order, rejections, fallback models, and that nothing changes by asking."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.route_plan import dry_run_asked, explain, explained
from app.gateway import Choice
from providers.spec.blob import InlineBlob
from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from providers.spec.result import Warning
from routing.board import Board
from routing.plan import plan
from routing.wishes import RouteWishes
from tests.unit.app.catalog.shipped import FLUX, NB2
from tests.unit.app.doors.traffic import CATALOG, NOW, blocked, board, choice, deliveries, ended, hedged


def answer(*choices: Choice, of: Board | None = None, timeout_s: float | None = None) -> Any:
    return explained(choices, of or board(), CATALOG.prices, CATALOG.policy, now=NOW, timeout_s=timeout_s)


def providers(told: Any) -> list[str]:
    return [each["provider"] for each in told["candidates"]]


def test_a_plan_has_exactly_these_fields() -> None:
    told = answer(choice(web_search=True, resolution=Resolution.R512))
    assert list(told) == ["object", "model", "operation", "resolution", "policy", "candidates", "rejected", "warnings"]
    assert (told["object"], told["model"], told["operation"]) == ("route_plan", NB2, "generate")
    assert (told["resolution"], told["policy"]) == ("512", "balanced")
    first = told["candidates"][0]
    reason = first.pop("reason")
    assert first == {
        "rank": 1,
        "provider": "gemini",
        "provider_model": "gemini-3.1-flash-image",
        "price_usd": first["price_usd"],
        "price_parts": {"images": "0.0448", "web_search": "0.014"},
        "expected_seconds": pytest.approx(11.526, abs=0.01),
        "success": 0.916,
        "success_low": first["success_low"],
        "success_high": first["success_high"],
        "samples": 0,
        "index": first["index"],
    }
    assert first["price_usd"] == "0.0588"
    assert 0 < first["success_low"] < 0.916 < first["success_high"] < 1
    assert f"{first['index']:.4f}" in reason
    assert told["rejected"] == [
        {"provider": "replicate", "reason": "replicate offers 1K, 2K, 4K", "parameter": "resolution"}
    ]
    json.dumps(told, allow_nan=False)


def test_ranks_follow_the_index() -> None:
    told = answer(choice())
    assert [each["rank"] for each in told["candidates"]] == [1, 2, 3, 4]
    indices = [each["index"] for each in told["candidates"]]
    assert indices == sorted(indices)


def test_an_edit_names_the_vendors_model_for_edits() -> None:
    told = answer(choice(operation=Operation.EDIT, images=(InlineBlob(""),)))
    models = {each["provider"]: each["provider_model"] for each in told["candidates"]}
    assert models["fal"] == "fal-ai/nano-banana-2/edit"
    assert models["replicate"] == "google/nano-banana-2"
    assert told["candidates"][0]["price_parts"]["input_images"] == "0.00056"


def test_the_callers_policy_is_named_and_followed() -> None:
    told = answer(choice(RouteWishes(policy="fastest")))
    assert (told["policy"], providers(told)[0]) == ("fastest", "fal")


def test_whoever_the_caller_leaves_out_is_rejected_by_field() -> None:
    told = answer(choice(RouteWishes(ignore=frozenset({"gemini"}))))
    assert told["rejected"] == [
        {"provider": "gemini", "reason": "gemini is in provider.ignore", "parameter": "provider.ignore"}
    ]


def test_a_blocked_provider_is_rejected_without_a_field() -> None:
    told_of = board()
    blocked(told_of, "gemini")
    told = answer(choice(), of=told_of)
    assert providers(told)[0] == "replicate"
    (rejected,) = told["rejected"]
    assert (rejected["provider"], rejected["parameter"]) == ("gemini", None)
    assert rejected["reason"].startswith("gemini ")
    assert "60 s" in rejected["reason"]


def test_the_last_resort_says_that_it_is_one_and_of_whom_it_speaks() -> None:
    told_of = board()
    for provider in ("gemini", "vertex", "fal", "replicate"):
        blocked(told_of, provider)
    told = answer(choice(), of=told_of)
    assert len(told["candidates"]) == 4
    for each in told["candidates"]:
        assert "last resort" in each["reason"]
        assert each["provider"] in each["reason"]
        assert "this provider" not in each["reason"]


def test_a_plan_tells_what_will_not_be_granted_to_the_letter() -> None:
    warned = replace(choice(), warnings=(Warning("size", "1536x1024 is delivered as 1264x848"),))
    assert answer(warned)["warnings"] == [{"parameter": "size", "message": "1536x1024 is delivered as 1264x848"}]
    assert answer(choice())["warnings"] == []


def test_a_plan_nobody_can_serve_is_an_answer_too() -> None:
    told = answer(choice(aspect_ratio="5:9"))
    assert told["candidates"] == []
    assert {each["parameter"] for each in told["rejected"]} == {"aspect_ratio"}


def test_traffic_shows_in_samples_and_seconds() -> None:
    told_of = board()
    deliveries(told_of, "fal", [3.0] * 50)
    told = answer(choice(), of=told_of)
    fal = next(each for each in told["candidates"] if each["provider"] == "fal")
    assert fal["samples"] == 50
    assert fal["expected_seconds"] < 5


def test_a_second_model_is_planned_under_fallback_models() -> None:
    told = answer(choice(), choice(model=FLUX), choice(RouteWishes(policy="cheapest"), model=FLUX))
    assert told["model"] == NB2
    assert [(each["model"], each["policy"]) for each in told["fallback_models"]] == [
        (FLUX, "balanced"), (FLUX, "cheapest"),
    ]  # fmt: skip
    assert all("fallback_models" not in each for each in told["fallback_models"])


def test_a_tight_deadline_counts() -> None:
    # Within 16 s the dearer fal is the likeliest to be done.
    assert providers(answer(choice()))[0] == "gemini"
    assert providers(answer(choice(), timeout_s=16.0))[0] == "fal"


def test_asking_twice_answers_the_same_and_changes_no_budget() -> None:
    told_of = board()
    deliveries(told_of, "gemini", [90.0] * 20)
    hedged(told_of, "gemini")
    assert not told_of.may_hedge()
    before = answer(choice(), of=told_of)
    for _ in range(500):
        answer(choice(), of=told_of)
    assert answer(choice(), of=told_of) == before
    assert not told_of.may_hedge(), "no request was counted"
    found = told_of.healths(CATALOG.offers, Operation.GENERATE, Resolution.R1K, now=NOW)
    assert not any(health.likely_due or health.hopeful_due for health in found.values()), "no budget has grown"


def test_a_dry_run_asks_for_no_lease() -> None:
    told_of = board()
    told_of.replicas = 2
    for _ in range(400):
        told_of.arrived(0.05)
    for _ in range(12):
        ended(told_of, "gemini", Fault.OVERLOADED)
    told_of.wanted_leases(now=NOW)
    later = NOW + 300.0
    told_of.wanted_leases(now=later)
    request = choice().request
    explained([choice()], told_of, CATALOG.prices, CATALOG.policy, now=later)
    assert told_of.wanted_leases(now=later) == frozenset()
    told_of.healths(CATALOG.offers, request.operation, request.resolution, now=later)
    assert f"gemini/{NB2}" in told_of.wanted_leases(now=later)


def test_an_infinite_figure_is_null() -> None:
    told_of = choice()
    route = plan(told_of.request, told_of.offers, CATALOG.prices, {}, CATALOG.policy, now=NOW, draw=0.5)
    first = replace(route.candidates[0], index=inf)
    told: Any = explain(replace(route, candidates=(first,)))
    assert told["candidates"][0]["index"] is None
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, False),
        ({"dry_run": "true"}, True),
        ({"dryRun": "true"}, True),
        ({"dryRun": "1"}, True),
        ({"dry_run": "TRUE"}, True),
        ({"dry_run": ""}, True),
        ({"dry_run": "false"}, False),
        ({"dryRun": "0"}, False),
        ({"dryrun": "true"}, False),
    ],
)
def test_a_query_may_ask_for_a_dry_run(query: dict[str, str], asked: bool) -> None:
    assert dry_run_asked(query) is asked


@pytest.mark.parametrize("name", ["dry_run", "dryRun"])
def test_a_query_that_says_neither_yes_nor_no_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="true or false") as refused:
        dry_run_asked({name: "perhaps"})
    assert refused.value.param == name
