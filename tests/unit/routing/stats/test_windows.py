"""Windows and their slices: merged in any order, pruned, and honest about what they cover."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.request import Operation, Resolution
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.slices import Slice
from routing.stats.windows import GRANULARITIES, WINDOW_NAMES, Windows

NOW = 1_790_000_005.0
KEY = StatKey("fal/pictura", Operation.GENERATE, Resolution.R1K)
DAY_S = 86_400.0

outcomes = st.builds(
    lambda kind, ago, seconds, first: Outcome(KEY, kind, NOW - ago, seconds, first),
    st.sampled_from(OutcomeKind),
    st.floats(0, 40 * DAY_S) | st.floats(0, 1200),
    st.floats(0, 700),
    st.none() | st.floats(0, 100),
)
in_two_orders = st.lists(outcomes, max_size=30).flatmap(
    lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn), st.integers(0, len(drawn)))
)


def outcome(
    ago: float = 0.0,
    kind: OutcomeKind = OutcomeKind.DELIVERED,
    seconds: float = 10.0,
    first_byte_s: float | None = None,
) -> Outcome:
    return Outcome(KEY, kind, NOW - ago, seconds, first_byte_s)


def windows(counted: Sequence[Outcome]) -> Windows:
    made = Windows()
    for each in counted:
        made.add(each)
    return made


def fields(of: Windows) -> list[tuple[str, int, dict[str, int]]]:
    return [(granularity, start, found.to_fields()) for granularity, start, found in of.slices()]


@given(in_two_orders)
def test_windows_agree_in_any_order_of_arrival(drawn: tuple[list[Outcome], list[Outcome], int]) -> None:
    first, second, _ = drawn
    assert fields(windows(first)) == fields(windows(second))


@given(in_two_orders)
def test_windows_of_several_replicas_merge_to_those_of_one(drawn: tuple[list[Outcome], list[Outcome], int]) -> None:
    first, second, cut = drawn
    one_way, other_way = windows(second[:cut]), windows(second[cut:])
    one_way.merge(windows(second[cut:]))
    other_way.merge(windows(second[:cut]))
    assert fields(one_way) == fields(other_way) == fields(windows(first))


@given(st.lists(outcomes, max_size=10))
def test_a_slice_survives_packing_and_its_fields(counted: list[Outcome]) -> None:
    for _, _, found in windows(counted).slices():
        assert Slice.unpack(found.pack()).to_fields() == found.to_fields()
        assert Slice.from_fields(found.to_fields()).pack() == found.pack()


def test_fields_no_slice_has_are_refused() -> None:
    for name in ("cost", "s999", "sixty"):
        with pytest.raises(ValueError):
            Slice.from_fields({name: 1})


def test_a_slice_keeps_the_sums_that_the_slow_figures_start_from() -> None:
    found = next(windows([outcome(seconds=10.0), outcome(kind=OutcomeKind.FAILED, seconds=2.5)]).slices("1h"))[2]
    assert found.log_total == pytest.approx(2.302585, abs=1e-6)
    assert found.log_squares == pytest.approx(5.301898, abs=1e-6)
    assert found.failure_ms == 2500


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("5m", 290, 301),
        ("1h", 55 * 60, 3601),
        ("24h", 23 * 3600, 24 * 3600 + 1),
        ("30d", 29 * 86_400, 30 * 86_400 + 1),
    ],
)
def test_a_window_reaches_back_as_far_as_it_says(window: str, inside: int, outside: int) -> None:
    assert windows([outcome(inside)]).figures(window, NOW).samples == 1
    counted = windows([outcome(0), outcome(outside)])
    assert counted.figures(window, NOW).samples == 1


def test_without_traffic_samples_are_zero_and_figures_are_none() -> None:
    for window in WINDOW_NAMES:
        figures = Windows().figures(window, NOW)
        assert figures.samples == figures.refused == 0
        assert figures.success is figures.success_low is figures.success_high is None
        assert figures.p50_s is figures.p95_s is figures.p99_s is figures.ttfb_p50_s is None


def test_figures_tell_deliveries_failures_and_refusals_apart() -> None:
    counted = [outcome(first_byte_s=2.0) for _ in range(3)]
    counted += [outcome(kind=OutcomeKind.FAILED, seconds=99.0), outcome(kind=OutcomeKind.REFUSED, seconds=0.3)]
    figures = windows(counted).figures("5m", NOW)
    assert (figures.samples, figures.success, figures.refused) == (4, 0.75, 1)
    assert figures.success_low is not None
    assert figures.success_high is not None
    assert 0.25 < figures.success_low < 0.75 < figures.success_high < 1.0
    assert figures.p50_s == pytest.approx(10.0, rel=0.04)
    assert figures.p99_s == pytest.approx(10.0, rel=0.04)
    assert figures.ttfb_p50_s == pytest.approx(2.0, rel=0.04)


def test_a_late_outcome_goes_into_the_slice_of_its_own_time() -> None:
    counted = windows([outcome(0), outcome(15)])
    assert [start for _, start, _ in counted.slices("10s")] == [1_789_999_990, 1_790_000_000]


def test_slices_are_kept_no_longer_than_they_are_needed() -> None:
    counted = Windows()
    for ago in range(int(40 * DAY_S), -1, -1800):
        counted.add(outcome(float(ago)))
    for ago in range(7200, -1, -5):
        counted.add(outcome(float(ago)))
    for name, granularity in GRANULARITIES.items():
        assert len(list(counted.slices(name))) == granularity.kept


def test_an_outcome_too_old_to_be_kept_is_left_out() -> None:
    counted = windows([outcome(0), outcome(1000)])
    assert len(list(counted.slices("10s"))) == 1
    assert counted.figures("24h", NOW).samples == 2


def test_a_silent_key_is_pruned_by_the_time_alone() -> None:
    counted = windows([outcome(0)])
    counted.prune(NOW + 3 * DAY_S)
    assert [granularity for granularity, _, _ in counted.slices()] == ["1d"]


def test_a_slice_from_elsewhere_is_added_to_what_is_there() -> None:
    counted = windows([outcome(0)])
    start = int(NOW) - int(NOW) % 10
    counted.load("10s", start, next(windows([outcome(0, OutcomeKind.FAILED)]).slices("10s"))[2])
    assert counted.figures("5m", NOW).samples == 2
    with pytest.raises(ValueError, match="no 10s slice starts"):
        counted.load("10s", start + 1, Slice())


def test_what_slices_hands_out_is_a_copy() -> None:
    counted = windows([outcome(0)])
    for _, _, found in counted.slices():
        found.delivered = 99
    assert counted.figures("30d", NOW).samples == 1
