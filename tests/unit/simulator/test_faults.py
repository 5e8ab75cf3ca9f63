"""Faults: which order hits which request, and when it is used up."""

from simulator.dice import Dice
from simulator.faults import Faults, Kind, able
from simulator.vendors import Vendor


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def struck(faults: Faults, vendor: Vendor = Vendor.FAL, model: str = "fal-ai/nano-banana-2", number: int = 1) -> object:
    strike = faults.strike(vendor, model, Dice(1, vendor, number))
    return strike.kind if strike else None


def test_the_first_order_that_matches_decides() -> None:
    faults = Faults(Clock())
    faults.add(frozenset({Vendor.GEMINI}), Kind.HANG)
    faults.add(frozenset({Vendor.FAL}), Kind.REFUSAL)
    faults.add(frozenset({Vendor.FAL}), Kind.DRIP)
    assert struck(faults) is Kind.REFUSAL


def test_a_counted_order_is_used_up() -> None:
    faults = Faults(Clock())
    faults.add(frozenset(Vendor), Kind.REFUSAL, count=2)
    assert [struck(faults) for _ in range(3)] == [Kind.REFUSAL, Kind.REFUSAL, None]
    assert faults.standing() == []


def test_a_timed_order_ends() -> None:
    clock = Clock()
    faults = Faults(clock)
    faults.add(frozenset(Vendor), Kind.REFUSAL, seconds=10)
    clock.now = 9.9
    assert struck(faults) is Kind.REFUSAL
    clock.now = 10.0
    assert struck(faults) is None


def test_an_order_for_a_model_hits_its_edit_endpoint_too_but_no_other_model() -> None:
    faults = Faults(Clock())
    faults.add(frozenset(Vendor), Kind.REFUSAL, model="fal-ai/nano-banana-2")
    assert struck(faults, model="fal-ai/nano-banana-2/edit") is Kind.REFUSAL
    assert struck(faults, model="fal-ai/nano-banana-pro") is None


def test_a_rate_hits_that_share_of_requests_and_the_same_ones_each_time() -> None:
    def hits() -> list[bool]:
        faults = Faults(Clock())
        faults.add(frozenset(Vendor), Kind.REFUSAL, rate=0.3)
        return [struck(faults, number=number) is not None for number in range(1000)]

    first = hits()
    assert 250 < sum(first) < 350
    assert hits() == first


def test_withdrawing_one_vendors_orders_leaves_the_others() -> None:
    faults = Faults(Clock())
    faults.add(frozenset({Vendor.GEMINI}), Kind.HANG)
    faults.add(frozenset({Vendor.FAL}), Kind.REFUSAL)
    assert faults.clear(Vendor.GEMINI) == 1
    assert struck(faults) is Kind.REFUSAL


def test_thoughts_are_googles_and_job_states_are_replicates() -> None:
    assert able(Kind.THOUGHT_FIRST) == {Vendor.GEMINI, Vendor.VERTEX}
    assert able(Kind.ABORTED) == able(Kind.PROCESSING_WITH_OUTPUT) == {Vendor.REPLICATE}
    assert able(Kind.REFUSAL) == set(Vendor)
