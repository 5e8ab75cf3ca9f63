"""The gateway's loop: bursts, callers that leave at any moment, hedges that tie, and models tried one after another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from app.doors.openai_images.answer import amount, headers_of, metadata_of
from app.gateway import Made, NotMadeError
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.result import Usage
from routing.knobs import HedgeKnobs, Objective
from routing.policy import RefusalPolicy
from routing.wishes import RouteWishes
from tests.unit.app.vendors import TOKENS, Scene, scene, ticks
from tests.unit.routing.making import NOW, POLICY

ROUNDS = 12
"""Turns of the event loop in which everything that can begin has begun."""
HEDGED = RouteWishes(hedge=True)
ONE = {"gemini": "0.067"}
TWO = {"gemini": "0.067", "fal": "0.08"}
HASTY = replace(
    POLICY,
    hedging=HedgeKnobs(first_look_sigmas=-50.0, burst=100.0),
    objectives={"balanced": Objective(value_of_time_usd_per_s=5.0, hedge_share=1.0)},
)
"""A second is worth so much that every try has a hedge beside it from its first moment."""

both_ways = pytest.mark.parametrize("wishes", [RouteWishes(), HEDGED], ids=["plain", "hedged"])


# Bursts


@both_ways
async def test_twenty_requests_at_once_never_overshoot_a_cap_of_one(wishes: RouteWishes) -> None:
    here = scene(ONE, replace(POLICY, caps={"gemini": 1}))
    requests = [here.request(wishes) for _ in range(20)]
    await ticks(ROUNDS)
    assert here.vendors.at_work["gemini"] == 1
    assert len(here.gateway.board.line) == 19
    here.vendors.answers.set()
    made = await asyncio.gather(*requests)
    assert len(made) == len(here.vendors.asked) == 20
    assert here.vendors.most_at_work["gemini"] == 1
    assert here.left_over() == {}


@both_ways
async def test_fifteen_requests_at_once_begin_one_trial_of_a_half_open_offer(wishes: RouteWishes) -> None:
    here = scene({"gemini": "0.01", "fal": "0.08"})
    here.opened("gemini", until=NOW - 1)
    requests = [here.request(wishes) for _ in range(15)]
    await ticks(ROUNDS)
    assert here.vendors.asked.count("gemini") == 1
    assert here.vendors.asked.count("fal") == 14
    here.vendors.answers.set()
    await asyncio.gather(*requests)
    assert here.left_over() == {}


# Callers that leave


async def left_after(here: Scene, wishes: RouteWishes, turns: int) -> None:
    """A caller leaves so many turns of the loop after it came."""
    request = here.request(wishes)
    await ticks(turns)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("policy", [POLICY, HASTY], ids=["one try", "with a hedge beside it"])
@both_ways
async def test_a_caller_may_leave_at_any_moment_and_leaves_nothing_behind(
    turns: int, policy: object, wishes: RouteWishes
) -> None:
    here = scene(TWO, policy)  # type: ignore[arg-type]
    await left_after(here, wishes, turns)
    assert here.left_over() == {}
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("turns", range(8))
@both_ways
async def test_a_caller_that_leaves_during_a_trial_leaves_the_trial_to_the_next(
    turns: int, wishes: RouteWishes
) -> None:
    here = scene({"gemini": "0.01", "fal": "0.08"}, replace(POLICY, caps={"gemini": 1}))
    here.opened("gemini", until=NOW - 1)
    await left_after(here, wishes, turns)
    assert here.left_over() == {}
    here.vendors.answers.set()
    made: Made = await here.request(wishes)
    assert made.winner.offer.provider == "gemini"


@both_ways
async def test_a_caller_that_leaves_the_line_leaves_its_place_too(wishes: RouteWishes) -> None:
    here = scene(ONE, replace(POLICY, caps={"gemini": 1}))
    first = here.request(wishes)
    await ticks(ROUNDS)
    await left_after(here, wishes, ROUNDS)
    assert len(here.gateway.board.line) == 0
    here.vendors.answers.set()
    await first
    assert here.left_over() == {}


async def test_a_try_that_was_begun_and_never_carried_out_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here = scene(TWO, replace(POLICY, caps={"gemini": 1}))

    def broken() -> bool:
        assert here.gateway.board.limit("gemini/pictura").in_flight == 1
        raise RuntimeError("a fault of our own, while the first try has not taken its first step")

    monkeypatch.setattr(here.gateway.board, "may_hedge", broken)
    with pytest.raises(RuntimeError, match="of our own"):
        await here.request(HEDGED)
    assert here.vendors.asked == []
    assert here.left_over() == {}


# Ties


async def tie() -> tuple[Scene, Made]:
    """A try and the hedge beside it deliver in the same turn of the loop."""
    here = scene(TWO, HASTY)
    request = here.request(HEDGED)
    await ticks(ROUNDS)
    assert sorted(here.vendors.asked) == ["fal", "gemini"]
    here.vendors.answers.set()
    made: Made = await request
    return here, made


async def test_when_two_deliver_at_once_all_that_is_told_is_of_the_same_try_and_the_other_is_recorded_as_paid() -> None:
    keep = []  # tasks lie in sets by their address: keeping what was made makes the order differ from time to time
    for _ in range(24):
        here, made = await tie()
        keep.append((here, made))
        name = made.winner.offer.provider
        cost = Decimal(TWO[name])
        assert [image.blob.read() for image in made.images] == [name.encode()]
        assert made.usage == Usage(output_tokens=TOKENS[name])
        assert [warning.message for warning in made.warnings] == [f"{name} has none"]
        assert made.cost == made.winner.cost == cost
        assert sum(each is made.winner for each in made.attempts) == 1
        headers = headers_of(made.attempts, winners=[made.winner], cost_usd=amount(made.cost))
        assert (headers["x-gateway-provider"], headers["x-gateway-cost-usd"]) == (name, TWO[name])
        metadata = metadata_of(made.attempts, resolution=None, winners=[made.winner], cost_usd=amount(made.cost))
        assert (metadata["provider"], metadata["cost_usd"]) == (name, TWO[name])
        paid = {each.offer.provider: (each.outcome, each.spend, each.cost) for each in made.attempts}
        assert paid == {each: ("ok", Spend.CHARGED, Decimal(amount)) for each, amount in TWO.items()}
        assert here.left_over() == {}


async def test_a_hedge_that_is_lost_is_recorded_as_abandoned_and_may_be_billed() -> None:
    here = scene(TWO, HASTY)
    here.vendors.faults["gemini"] = ProviderError(Fault.OVERLOADED, "busy")
    request = here.request(HEDGED)
    await ticks(ROUNDS)
    here.vendors.answers.set()
    made: Made = await request
    assert made.winner.offer.provider == "fal"
    assert {each.offer.provider: each.fault for each in made.attempts} == {"gemini": Fault.OVERLOADED, "fal": None}
    assert here.left_over() == {}


# Models, one after another

NOTHING = RouteWishes()


async def made_of(here: Scene, *sold_by: str) -> Made | NotMadeError:
    """A request for several models, each sold by one provider."""
    here.vendors.answers.set()
    try:
        return await here.gateway.make([here.choice(NOTHING, providers=[name]) for name in sold_by])
    except NotMadeError as failed:
        return failed


def refusing(*providers: str, policy: RefusalPolicy) -> Scene:
    here = scene(TWO, replace(POLICY, refusal_policy=policy))
    here.vendors.faults |= {name: ProviderError(Fault.CONTENT_REFUSED, "refused") for name in providers}
    return here


@pytest.mark.parametrize("policy", ["stop", "second_opinion", "ladder"])
async def test_what_all_of_a_models_providers_refused_is_asked_of_no_other_model(policy: RefusalPolicy) -> None:
    here = refusing("gemini", policy=policy)
    told = await made_of(here, "gemini", "fal")
    assert isinstance(told, NotMadeError)
    assert here.vendors.asked == ["gemini"]
    assert (told.verdict.status, told.verdict.code) == (400, "moderation_blocked")


@pytest.mark.parametrize("fault", [Fault.CREDENTIALS, Fault.OUT_OF_FUNDS, Fault.MODEL_GONE, Fault.UNSUPPORTED])
async def test_when_a_models_providers_are_exhausted_the_next_model_is_asked(fault: Fault) -> None:
    here = scene(TWO)
    here.vendors.faults["gemini"] = ProviderError(fault, "no")
    made = await made_of(here, "gemini", "fal")
    assert isinstance(made, Made)
    assert here.vendors.asked == ["gemini", "fal"]
    assert (made.winner.offer.provider, made.cost) == ("fal", Decimal("0.08"))
    assert [each.outcome for each in made.attempts] == [fault.value, "ok"]


async def test_a_bad_request_is_asked_of_no_other_model() -> None:
    here = scene(TWO)
    here.vendors.faults["gemini"] = ProviderError(Fault.INVALID_REQUEST, "no such thing")
    assert isinstance(await made_of(here, "gemini", "fal"), NotMadeError)
    assert here.vendors.asked == ["gemini"]


async def test_no_other_model_is_asked_once_as_many_payments_are_possible_as_are_allowed() -> None:
    here = scene(TWO, replace(POLICY, max_possible_payments=1))
    here.vendors.faults["gemini"] = ProviderError(Fault.UNSUPPORTED, "no", spend=Spend.CHARGED)
    assert isinstance(await made_of(here, "gemini", "fal"), NotMadeError)
    assert here.vendors.asked == ["gemini"]
