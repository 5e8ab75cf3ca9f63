"""Three gateway processes on one Redis: what one finds out the others know, and their figures are one and the same."""

from __future__ import annotations

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.board import Board
from routing.stats.outcome import StatKey
from routing.stats.redis_store import RedisStore
from routing.stats.windows import WINDOW_NAMES
from routing.wishes import RouteWishes
from tests.chaos.conftest import REPLICAS, Fleet, tries, until
from tests.e2e.conftest import Vendors
from tests.redis_server import RedisServer
from tests.unit.routing.making import MODEL, NOW, Street

SICK = "gemini"
KNOWN_TO_ALL_S = 20.0
"""All replicas know by then of an outage that one has found, on the slowest machine. That it takes three exchanges,
which last less than two seconds, is shown in tests/stores/test_sharing.py and tests/unit/routing/test_policy.py."""
SETTLED_S = 30.0
"""Longer than any outcome travels, and than rows are handed out again."""
OPEN = 2.0
"""``gateway_breaker_state`` of an offer nobody is sent to."""


def breaker(fleet: Fleet, number: int) -> float:
    metrics = fleet.gateways[number].metrics()
    return metrics.total("gateway_breaker_state", provider=SICK, model="gemini-3.1-flash-image-preview")


def test_an_outage_found_by_one_is_avoided_by_the_others(fleet: Fleet, vendors: Vendors) -> None:
    assert [fleet.plan(number)["candidates"][0]["provider"] for number in range(REPLICAS)] == [SICK] * REPLICAS
    fleet.ask_all(24)  # the better a provider is known to be, the sooner its failures are no chance
    vendors.fail(SICK, "503")
    asked = 0
    while breaker(fleet, 0) != OPEN:
        # Asked for, since otherwise the figures alone keep it from being asked again before its breaker opens.
        assert fleet.ask(0, provider={"order": [SICK]}).status_code == 200
        asked += 1
        assert asked < 20
    until(lambda: all(breaker(fleet, number) == OPEN for number in range(1, REPLICAS)), KNOWN_TO_ALL_S)
    sick_so_far = vendors.sums(SICK)["requests"]
    for number in range(1, REPLICAS):
        plan = fleet.plan(number)
        assert SICK not in [candidate["provider"] for candidate in plan["candidates"]]
        assert SICK in [rejection["provider"] for rejection in plan["rejected"]]
        for _ in range(3):
            assert fleet.ask(number).headers["x-gateway-attempts"] == "1"
    assert vendors.sums(SICK)["requests"] == sick_so_far


def test_a_stated_wait_is_respected_by_all(fleet: Fleet, vendors: Vendors) -> None:
    vendors.fail(SICK, "429", count=1, params={"retry_after": 30})
    assert fleet.ask(0).status_code == 200
    until(
        lambda: all(
            SICK in [rejection["provider"] for rejection in fleet.plan(number)["rejected"]]
            for number in range(REPLICAS)
        ),
        KNOWN_TO_ALL_S,
    )
    fleet.ask_all(9)
    assert vendors.sums(SICK)["requests"] == 1


def test_figures_are_the_same_everywhere_and_are_those_of_the_vendors_books(fleet: Fleet, vendors: Vendors) -> None:
    vendors.settle(provider="gemini", success_rate=0.8)
    vendors.settle(provider="fal", success_rate=0.8)
    answers = fleet.ask_all(60) + fleet.ask_all(30, provider={"order": ["fal"]})
    answers += fleet.ask_all(15, resolution="1K", provider={"order": ["replicate"]})
    told = tries(answers)
    made = {provider: sum(each["provider"] == provider for each in told) for provider in {t["provider"] for t in told}}
    assert made == {row: vendors.sums(row)["requests"] for row in made}
    until(lambda: all(fleet.samples(number) == made for number in range(REPLICAS)), SETTLED_S)
    first, *others = [fleet.windows(number) for number in range(REPLICAS)]
    assert others == [first] * len(others)
    for (provider, _, _, resolution), windows in first.items():
        mine = [vendors_row for vendors_row in vendors.books() if vendors_row["provider"] == provider]
        (row,) = [each for each in mine if each["resolution"] == resolution]
        window = windows["1h"]
        assert window["samples"] == row["requests"]
        delivered = round(window["success"] * window["samples"])
        assert delivered <= row["images"], "a vendor may have drawn an image that no answer carried"
    for provider, requests in made.items():
        delivered = sum(each["provider"] == provider and each["outcome"] == "ok" for each in told)
        counted = sum(
            round(windows["1h"]["success"] * windows["1h"]["samples"])
            for (name, *_), windows in first.items()
            if name == provider
        )
        assert (counted, requests) == (delivered, made[provider])


async def test_boards_that_share_know_what_one_board_knows_that_saw_everything(redis_server: RedisServer) -> None:
    sellers = {"gemini": "0.067", "fal": "0.08"}
    alone, sharing = Street(sellers), [Street(sellers) for _ in range(REPLICAS)]
    stores = [RedisStore(redis_server.url, replica=str(number), lease_s=60.0) for number in range(REPLICAS)]
    for street, store in zip(sharing, stores, strict=True):
        street.board.publish = store.publish
        await store.load(now=NOW)
    for number in range(150):
        now = NOW + 2 * number
        fault = Fault.OVERLOADED if number % 11 == 0 else None
        wishes = RouteWishes(only=frozenset({"gemini" if number % 3 else "fal"}))
        for street in (alone, sharing[number // 2 % REPLICAS]):
            street.served(now=now, seconds=8.0 + number % 7, fault=fault, wishes=wishes)
        for street, store in 2 * list(zip(sharing, stores, strict=True)):
            for event in (await store.exchange(now=now, wanted=())).events:
                street.board.fold(event, now=now)
    for store in stores:
        await store.close()
    end = NOW + 300.0
    for provider in sellers:
        key = StatKey(f"{provider}/{MODEL}", Operation.GENERATE, Resolution.R1K)
        for street in sharing:
            assert_same(street.board, alone.board, key, end)


def assert_same(one: Board, other: Board, key: StatKey, now: float) -> None:
    found, expected = one.statistics.windows(key), other.statistics.windows(key)
    assert found is not None
    assert expected is not None
    for name in WINDOW_NAMES:
        assert found.figures(name, now) == expected.figures(name, now)
    assert one.statistics.estimate(key, now=now) == other.statistics.estimate(key, now=now)
    assert one.breaker(key.offer) == other.breaker(key.offer)
