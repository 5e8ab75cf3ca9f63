"""What holds of every plan, whatever the market, the healths and the wishes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import Fault
from providers.spec.request import Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.offers import Offer
from routing.plan import plan
from routing.prices import PriceTable
from routing.route_plan import RoutePlan
from routing.wishes import RouteWishes
from tests.unit.routing.making import NOW, POLICY, REQUEST, estimate, line, offer

NAMES = ("gemini", "vertex", "fal", "replicate")
HEALTHS = (
    Health(),
    Health(estimate=estimate(success=0.5)),
    Health(estimate=estimate(median_s=90.0)),
    Health(room=False),
    Health(blocked_until=NOW + 30),
    Health(out_fault=Fault.CREDENTIALS, out_since=NOW - 10, next_probe_at=NOW + 590),
    Health(breaker=Breaker(score=5.5, opened_at=NOW - 5, open_until=NOW + 10, open_s=15)),
    Health(breaker=Breaker(score=5.5, opened_at=NOW - 15, open_until=NOW, open_s=15)),
)
amounts = st.integers(1, 400).map(lambda cents: Decimal(cents) / 1000)
Market = dict[str, tuple[Decimal | None, Health, bool]]
markets: st.SearchStrategy[Market] = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.none() | amounts, st.sampled_from(HEALTHS), st.booleans()), min_size=1
)
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
wishes = st.builds(
    RouteWishes,
    order=names.map(tuple),
    only=st.none() | names.filter(bool).map(frozenset),
    ignore=names.map(frozenset),
    allow_fallbacks=st.booleans(),
    policy=st.none() | st.sampled_from(list(POLICY.objectives)),
    max_price_per_image=st.none() | amounts,
)
draws = st.floats(0, 0.999)


def offers_in(market: Market) -> list[Offer]:
    return [
        offer(name, position=NAMES.index(name), min_prompt_chars=1 if able else 10_000)
        for name, (_, _, able) in sorted(market.items(), key=lambda entry: NAMES.index(entry[0]))
    ]


def planned(market: Market, wished: RouteWishes, draw: float, offers: list[Offer] | None = None) -> RoutePlan:
    sold = offers if offers is not None else offers_in(market)
    lines = [line(name, {Resolution.R1K: str(price)}) for name, (price, _, _) in market.items() if price is not None]
    healths = {each.key: market[each.provider][1] for each in sold}
    return plan(REQUEST, sold, PriceTable(tuple(lines)), healths, POLICY, now=NOW, draw=draw, wishes=wished)


@given(markets, wishes, draws)
def test_nobody_is_candidate_whom_the_request_or_its_caller_rules_out(
    market: Market, wished: RouteWishes, draw: float
) -> None:
    route = planned(market, wished, draw)
    for candidate in route.candidates:
        price, _, able = market[candidate.offer.provider]
        assert able
        assert price is not None
        assert candidate.quote.total == price
        assert candidate.offer.provider not in wished.ignore
        assert wished.only is None or candidate.offer.provider in wished.only
        assert wished.max_price_per_image is None or price <= wished.max_price_per_image
    assert {each.offer.key for each in route.candidates}.isdisjoint(each.offer.key for each in route.rejections)
    assert "" not in [each.reason for each in route.candidates]
    assert "" not in [each.reason for each in route.rejections]


@given(markets, wishes, draws)
def test_a_plan_is_made_wherever_anybody_can_be_asked(market: Market, wished: RouteWishes, draw: float) -> None:
    """An offer that is merely unwell is asked rather than nobody; credentials and blocks are another matter."""
    route = planned(market, wished, draw)
    could = [
        name
        for name, (price, health, able) in market.items()
        if able
        and price is not None
        and health.out_fault is None
        and health.blocked_until <= NOW
        and name not in wished.ignore
        and (wished.only is None or name in wished.only)
        and (wished.max_price_per_image is None or price <= wished.max_price_per_image)
        and (wished.allow_fallbacks or not wished.order or name in wished.order)
    ]
    if could:
        assert route.candidates


@given(markets, wishes, draws, st.randoms(use_true_random=False))
def test_the_order_in_which_offers_are_handed_in_changes_nothing(
    market: Market, wished: RouteWishes, draw: float, dice: object
) -> None:
    offers = offers_in(market)
    mixed = list(reversed(offers))
    first, second = planned(market, wished, draw, offers), planned(market, wished, draw, mixed)
    assert [each.offer.key for each in first.candidates] == [each.offer.key for each in second.candidates]
    assert {each.offer.key for each in first.rejections} == {each.offer.key for each in second.rejections}


@given(markets, draws, st.sampled_from(NAMES), st.integers(101, 500))
def test_whoever_becomes_dearer_never_rises(market: Market, draw: float, name: str, percent: int) -> None:
    before = planned(market, RouteWishes(), draw)
    if name not in market or (price := market[name][0]) is None:
        return
    dearer = {**market, name: (price * percent / 100, *market[name][1:])}
    after = planned(dearer, RouteWishes(), draw)

    def rank(route: RoutePlan) -> int:
        found = [place for place, each in enumerate(route.candidates) if each.offer.provider == name]
        return found[0] if found else len(market)

    assert rank(after) >= rank(before)


@given(markets, draws)
def test_among_the_well_the_index_rises_along_the_plan(market: Market, draw: float) -> None:
    well = {
        name: (price, replace(health), able) for name, (price, health, able) in market.items() if health == Health()
    }
    if not well:
        return
    indices = [each.index for each in planned(well, RouteWishes(), draw).candidates]
    assert indices == sorted(indices)
