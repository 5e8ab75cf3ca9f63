"""Several images for one request: parts side by side, what is missing planned again, nothing paid for thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from app.fan_out import AllMade, make_all
from app.fitting import Fitting
from app.gateway import Made, NotMadeError
from providers.spec.errors import Fault, ProviderError, Spend
from providers.workers import Workers
from routing.policy import Policy
from routing.wishes import RouteWishes
from tests.unit.app.vendors import Scene, scene, ticks
from tests.unit.routing.making import POLICY

ONE = {"gemini": "0.067"}
TWO = {"gemini": "0.067", "fal": "0.08"}
NOTHING = RouteWishes()


def here_with(sold: dict[str, str], policy: Policy = POLICY, **at_once: int) -> Scene:
    """A scene in which these providers make so many images in a call; the others make one."""
    here = scene(sold, policy)
    here.offers = [
        replace(offer, capability=replace(offer.capability, max_images=at_once.get(offer.provider, 1)))
        for offer in here.offers
    ]
    here.vendors.answers.set()
    return here


async def made_of(
    here: Scene, n: int, *, wishes: RouteWishes = NOTHING, seed: int | None = None, told: list[Made] | None = None
) -> AllMade:
    choice = here.choice(wishes)
    choice = replace(choice, request=replace(choice.request, n=n, seed=seed))
    fitting = Fitting(cast("Workers", None))
    return await make_all(here.gateway, [choice], fitting, on_made=None if told is None else told.append)


async def all_begun_of(here: Scene, n: int) -> AllMade:
    """The same, but that no vendor answers before all parts have begun."""
    here.vendors.answers.clear()
    request = asyncio.create_task(made_of(here, n))
    await ticks(20)
    here.vendors.answers.set()
    return await request


def numbers(here: Scene) -> Sequence[int]:
    return [request.n for request in here.vendors.requests]


async def test_a_vendor_that_makes_one_image_is_called_for_each() -> None:
    here = here_with(ONE)
    made = await made_of(here, 6)
    assert (len(made.images), numbers(here)) == (6, [1] * 6)
    assert (made.cost, len(made.winners)) == (Decimal("0.402"), 6)
    assert made.usage is not None
    assert made.usage.output_tokens == 6
    assert here.left_over() == {}


async def test_a_vendor_that_makes_several_in_a_call_is_asked_for_them_in_one() -> None:
    here = here_with(ONE, gemini=4)
    made = await made_of(here, 6)
    assert (len(made.images), numbers(here)) == (6, [4, 2])
    assert (made.cost, len(made.attempts)) == (Decimal("0.402"), 2)


async def test_a_count_that_came_short_is_made_up_for_and_each_image_is_charged_once() -> None:
    here = here_with(ONE, gemini=4)
    here.vendors.makes["gemini"] = 3
    made = await made_of(here, 4)
    assert (len(made.images), numbers(here)) == (4, [4, 1])
    assert made.cost == sum(attempt.cost for attempt in made.attempts) == Decimal("0.268")
    assert all(warning.parameter != "n" for warning in made.warnings)


async def test_a_part_that_fails_goes_elsewhere_alone() -> None:
    here = here_with(TWO)
    here.vendors.faults["gemini"] = ProviderError(Fault.OVERLOADED, "busy")
    here.vendors.fail_first["gemini"] = 2
    made = await all_begun_of(here, 6)
    assert len(made.images) == 6
    assert [attempt.outcome for attempt in made.attempts].count("overloaded") == 2
    assert made.cost == sum(attempt.cost for attempt in made.attempts)
    assert len(here.vendors.asked) == 8


async def test_an_offer_that_is_full_sends_the_rest_elsewhere() -> None:
    here = here_with(TWO, replace(POLICY, caps={"gemini": 2}))
    made = await all_begun_of(here, 4)
    assert sorted(here.vendors.asked) == ["fal", "fal", "gemini", "gemini"]
    assert len(made.images) == 4


async def test_what_was_made_is_answered_when_the_rest_cannot_be_had_and_says_so() -> None:
    here = here_with(ONE)
    here.vendors.faults["gemini"] = ProviderError(Fault.CONTENT_REFUSED, "refused")
    here.vendors.fail_first["gemini"] = 2
    made = await made_of(here, 5)
    assert len(made.images) == 3
    assert made.cost == Decimal("0.201")
    (warning,) = [warning for warning in made.warnings if warning.parameter == "n"]
    assert warning.message.startswith("3 of 5 images were made")


async def test_none_is_an_error_that_tells_of_every_try() -> None:
    here = here_with(ONE)
    here.vendors.faults["gemini"] = ProviderError(Fault.CONTENT_REFUSED, "refused", spend=Spend.NONE)
    with pytest.raises(NotMadeError) as failed:
        await made_of(here, 3)
    assert failed.value.verdict.code == "moderation_blocked"
    assert len(failed.value.attempts) == 3


async def test_with_a_seed_each_image_has_its_own() -> None:
    here = here_with(ONE, gemini=4)
    here.offers = [replace(each, capability=replace(each.capability, seed=True)) for each in here.offers]
    await made_of(here, 3, seed=2**31 - 2)
    assert numbers(here) == [1, 1, 1]
    assert [request.seed for request in here.vendors.requests] == [2**31 - 2, 2**31 - 1, 0]


async def test_a_limit_on_the_requests_price_is_shared_by_its_images() -> None:
    here = here_with(TWO)
    dear = RouteWishes(max_price_per_request=Decimal("0.30"))
    assert len((await made_of(here, 4, wishes=dear)).images) == 4
    with pytest.raises(NotMadeError):
        await made_of(here_with(TWO), 4, wishes=RouteWishes(max_price_per_request=Decimal("0.20")))


async def test_each_part_is_told_of_as_it_is_finished() -> None:
    told: list[Made] = []
    made = await made_of(here_with(ONE), 3, told=told)
    assert tuple(told) == made.parts


async def test_the_same_warning_is_given_once() -> None:
    made = await made_of(here_with(ONE), 3)
    assert [warning.parameter for warning in made.warnings] == ["seed"]


async def test_an_image_that_was_lost_on_the_way_is_in_the_books_and_not_on_the_bill() -> None:
    here = here_with(ONE, gemini=4)
    here.vendors.lost["gemini"] = 1
    made = await made_of(here, 4)
    assert (len(made.images), numbers(here)) == (4, [4, 1])
    assert made.cost == Decimal("0.268")
    assert sum(attempt.cost for attempt in made.attempts) == Decimal("0.335")


async def test_what_a_call_for_several_spoilt_is_bought_once_more_from_others_side_by_side() -> None:
    here = here_with(TWO, fal=4)
    here.vendors.faults["fal"] = ProviderError(Fault.BAD_REPLY, "spoilt", spend=Spend.CHARGED)
    made = await made_of(here, 4, wishes=RouteWishes(order=("fal",)))
    assert here.vendors.asked == ["fal", "gemini", "gemini", "gemini", "gemini"]
    assert numbers(here) == [4, 1, 1, 1, 1]
    assert (len(made.images), len(made.attempts)) == (4, 5)


async def test_an_image_is_paid_for_no_more_often_than_the_policy_allows_however_often_it_is_planned() -> None:
    here = here_with(ONE, gemini=4)
    here.vendors.always_lost.add("gemini")
    made = await made_of(here, 8)
    # Half of each call is lost: of the eight six come, and nobody buys the other two for a third time.
    assert numbers(here) == [4, 4, 2, 2]
    assert len(made.images) == 6
    (warning,) = [warning for warning in made.warnings if warning.parameter == "n"]
    assert warning.message == "6 of 8 images were made: what is missing was paid for and could not be used"


async def test_a_model_nobody_can_serve_does_not_make_the_next_one_go_image_by_image() -> None:
    here = here_with(ONE)
    choice = here.choice(NOTHING)
    choice = replace(choice, request=replace(choice.request, n=3))
    nobody = replace(choice, offers=[])
    here.vendors.answers.clear()
    request = asyncio.create_task(make_all(here.gateway, [nobody, choice], Fitting(cast("Workers", None))))
    await ticks(20)
    assert len(here.vendors.asked) == 3
    here.vendors.answers.set()
    assert len((await request).images) == 3


@pytest.mark.parametrize("stopping", [True, False])
async def test_what_was_made_is_answered_when_the_gateway_is_stopped_and_not_when_the_caller_leaves(
    *, stopping: bool
) -> None:
    here = here_with(ONE)
    here.vendors.silent_at = 3
    choice = here.choice(NOTHING)
    choice = replace(choice, request=replace(choice.request, n=3))
    work = make_all(here.gateway, [choice], Fitting(cast("Workers", None)), stopping=lambda: stopping)
    request = asyncio.create_task(work)
    await ticks(50)
    request.cancel()
    if not stopping:
        with pytest.raises(asyncio.CancelledError):
            await request
        return
    made = await request
    assert len(made.images) == 2
    assert made.cost == 2 * Decimal("0.067")
    assert "stopped" in made.warnings[-1].message
    assert here.left_over() == {}
