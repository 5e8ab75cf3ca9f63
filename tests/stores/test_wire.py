"""Events and slices as bytes, the outbox that numbers them and the follower that reads each once."""

from __future__ import annotations

import struct
from contextlib import suppress
from math import exp, inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.policy import Policy
from routing.stats.follower import Follower, RawEntry
from routing.stats.ledger import without
from routing.stats.outbox import MAX_BUFFERED, MAX_ENTRIES, Outbox
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.slice_hashes import SliceHashes
from routing.stats.slices import LONGEST_S, MOST, Slice
from routing.stats.slices import Entry as Counted
from routing.stats.statistics import Statistics
from routing.stats.store import Event, Notice
from routing.stats.wire import (
    EVENTS_PER_ENTRY,
    EntryId,
    UndecodableError,
    decode_entry,
    decode_key,
    decode_slice,
    encode_entry,
    encode_key,
    encode_slice,
)
from tests.stores.making import KEY, NOW, notice, outcome, outcomes

POLICY = Policy()
times = st.floats(0.0, 4e9)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
keys = st.builds(
    StatKey,
    names,
    st.sampled_from(Operation),
    st.none() | st.sampled_from(Resolution),
)
seconds = st.floats(0.0, LONGEST_S)
events: st.SearchStrategy[Event] = st.builds(
    Outcome, keys, st.sampled_from(OutcomeKind), times, seconds, st.none() | seconds
)
breakers = st.builds(Breaker, seconds, times, times, seconds, times)


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    faults = st.none() | st.sampled_from(Fault)
    health = Health(draw(times), draw(faults), draw(times), draw(times), draw(faults))
    return Notice(draw(names), draw(times), health, draw(breakers))


@given(st.lists(events | notices(), max_size=EVENTS_PER_ENTRY), st.integers(0, 2**60))
def test_what_is_sent_is_what_arrives(sent: list[Event], number: int) -> None:
    entry = decode_entry(encode_entry("replica", number, sent), latest=inf)
    assert (entry.replica, entry.number, entry.events) == ("replica", number, tuple(sent))


@given(st.binary(max_size=300))
def test_any_bytes_are_an_entry_or_refused(data: bytes) -> None:
    for read in (lambda: decode_entry(data, latest=inf), lambda: decode_slice(data)):
        with suppress(UndecodableError):
            read()


@given(st.data())
def test_an_entry_cut_short_is_refused_or_shorter_by_whole_events(data: st.DataObject) -> None:
    whole = encode_entry("replica", 1, [outcome(), notice(), outcome()])
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = decode_entry(cut, latest=inf).events
    except UndecodableError:
        return
    assert found == (outcome(), notice(), outcome())[: len(found)]


@pytest.mark.parametrize(
    "broken",
    [
        outcome(at=NOW + 1.0),
        outcome(at=nan),
        outcome(at=-1.0),
        outcome(seconds=nan),
        outcome(seconds=-1.0),
        outcome(seconds=inf),
        outcome(seconds=1e300, kind=OutcomeKind.FAILED),
        Outcome(KEY, OutcomeKind.DELIVERED, NOW, 12.0, -5.0),
        Outcome(KEY, OutcomeKind.DELIVERED, NOW, 12.0, inf),
        Outcome(KEY, OutcomeKind.DELIVERED, NOW, 12.0, LONGEST_S + 1.0),
        notice(at=nan),
    ],
)
def test_numbers_that_cannot_be_are_refused(broken: Event) -> None:
    with pytest.raises(UndecodableError):
        decode_entry(encode_entry("replica", 1, [broken]), latest=NOW)


def test_an_entry_holds_no_more_events_than_is_agreed() -> None:
    with pytest.raises(ValueError, match="16 events"):
        encode_entry("replica", 1, outcomes(EVENTS_PER_ENTRY + 1))


@given(keys)
def test_keys_survive_as_text(key: StatKey) -> None:
    assert decode_key(encode_key(key)) == key


def test_slices_survive_with_their_mark_and_can_be_taken_apart() -> None:
    part, rest, whole = Slice(), Slice(), Slice()
    for number, event in enumerate(outcomes(300)):
        counted = Counted(event)
        whole.add(counted)
        (part if number % 3 else rest).add(counted)
    found, through = decode_slice(encode_slice(whole, (17, 4)))
    assert through == (17, 4)
    assert found.to_fields() == whole.to_fields()
    assert without(whole, part).to_fields() == rest.to_fields()
    assert without(whole, whole).to_fields() == {}


def test_fast_deliveries_whose_logarithms_are_negative_can_be_taken_apart() -> None:
    part, whole = Slice(), Slice()
    for number, log_seconds in enumerate((-2.0, -1.0, 0.5)):
        counted = Counted(outcome(seconds=exp(log_seconds)))
        whole.add(counted)
        if number:
            part.add(counted)
    assert without(whole, part).log_total == pytest.approx(-2.0)


def numbered(entries: list[bytes], *, since: int = 1) -> list[RawEntry]:
    return [(f"{1000 + since + number}-0".encode(), {b"e": data}) for number, data in enumerate(entries)]


def test_an_outbox_sends_again_what_was_not_confirmed_before_anything_new() -> None:
    outbox = Outbox("one")
    outbox.put(outcome())
    first = outbox.entries()
    outbox.put(outcome(at=NOW - 1.0))
    again = outbox.entries()
    assert again[0] == first[0]
    outbox.confirm(1)
    assert outbox.entries() == again[1:]
    assert (outbox.sent, len(outbox)) == (1, 1)


def test_an_outbox_bounds_what_is_under_way_and_what_waits() -> None:
    outbox = Outbox("one")
    for number in range(MAX_BUFFERED + 5):
        outbox.put(outcome(at=NOW + number))
    assert (len(outbox), outbox.dropped) == (MAX_BUFFERED, 5)
    assert len(outbox.entries()) == MAX_ENTRIES
    assert decode_entry(outbox.entries()[0], latest=inf).events[0] == outcome(at=NOW + 5)


def test_a_follower_reads_an_entry_once_however_often_it_was_sent() -> None:
    outbox, follower = Outbox("one"), Follower()
    for number in range(3 * EVENTS_PER_ENTRY):
        outbox.put(outcome(at=NOW - number))
    entries = outbox.entries()
    assert len(follower.read(numbered(entries[:2]), now=NOW)) == 2
    assert follower.read(numbered(entries[:2]), now=NOW) == []
    assert [entry.number for _, entry in follower.read(numbered(entries, since=10), now=NOW)] == [3]
    delivered = {place[1]: 0 for place, _ in follower.ledger.slices()}
    for place, found in follower.ledger.slices():
        delivered[place[1]] += found.delivered
    assert delivered == {"5m": 48, "1h": 48, "1d": 48}


def test_a_follower_goes_on_from_the_beginning_of_a_stream_that_began_anew() -> None:
    outbox, follower = Outbox("one"), Follower()
    outbox.put(outcome())
    follower.read(numbered(outbox.entries(), since=500), now=NOW)
    outbox.confirm(1)
    outbox.put(outcome(at=NOW - 1.0))
    assert not follower.begun_anew((1500, 0))
    assert follower.begun_anew((1001, 0))
    assert len(follower.read(numbered(outbox.entries()), now=NOW)) == 1
    slices = {place[1]: found.delivered for place, found in follower.ledger.slices() if place[0] == KEY}
    assert slices["1d"] == 2


def test_a_ledger_lets_go_of_slices_that_take_no_more_outcomes() -> None:
    outbox, follower = Outbox("one"), Follower()
    outbox.put(outcome())
    follower.read(numbered(outbox.entries()), now=NOW)
    assert len(follower.ledger) == 3
    follower.ledger.prune(now=NOW + 7200.0)
    assert [place[1] for place, _ in follower.ledger.slices()] == ["1d"]
    follower.ledger.prune(now=NOW + 2 * 86_400.0)
    assert len(follower.ledger) == 0


def said(text: bytes) -> bytes:
    """An entry with one notice of that text."""
    return struct.pack("<QB", 1, 3) + b"bad" + b"N" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 60_000,
        b'{"a":' * 13_000,
        b"[" + b"9" * 5000 + b"]",
        b'["fal/pictura",1' + b"0" * 400 + b",[0,null,0,0,null],[0,0,0,0,0]]",
        b'["fal/pictura",0,[0,["x"],0,0,null],[0,0,0,0,0]]',
    ],
)
def test_an_entry_nobody_can_read_does_not_cost_those_beside_it(text: bytes) -> None:
    follower = Follower()
    around = [encode_entry("one", number, [outcome()]) for number in (1, 2)]
    found = follower.read(numbered([around[0], said(text), around[1]]), now=NOW)
    assert [entry.number for _, entry in found] == [1, 2]
    assert (follower.undecodable, delivered_today(follower)) == (1, 2)


@pytest.mark.parametrize("seconds", [1e300, inf, nan, -5.0])
@pytest.mark.parametrize("kind", OutcomeKind)
def test_own_outcomes_of_durations_that_cannot_be_are_brought_within_bounds(kind: OutcomeKind, seconds: float) -> None:
    outbox, made = Outbox("one"), Slice()
    wrong = Outcome(KEY, kind, NOW, seconds, seconds)
    made.add(Counted(wrong))
    assert made.plausible
    outbox.put(wrong)
    outbox.put(outcome())
    sent, beside = decode_entry(outbox.entries()[0], latest=NOW).events
    assert isinstance(sent, Outcome)
    assert sent.seconds == sent.first_byte_s == (LONGEST_S if seconds > 0 else 0.0)
    assert beside == outcome()


def test_own_outcomes_of_durations_that_cannot_be_do_not_keep_later_ones_from_being_counted() -> None:
    statistics = Statistics(POLICY.statistics, lambda _: POLICY.priors)
    for kind in OutcomeKind:
        for number, seconds in enumerate((1e300, inf, nan, -5.0)):
            statistics.add(outcome(at=NOW + number, seconds=seconds, kind=kind))
    for number in range(20):
        statistics.add(outcome(at=NOW + 10 * number, seconds=2.0))
    found = statistics.estimate(KEY, now=NOW + 200)
    assert isfinite(found.median_s)
    assert found.failure_s <= LONGEST_S


def test_a_slice_is_packed_whatever_it_has_added_up_to() -> None:
    huge = Slice()
    huge.delivered = huge.failed = huge.refused = 2**40
    huge.failure_ms = huge.log_squares_micros = 2**70
    huge.log_micros = -(2**70)
    again = Slice.unpack(huge.pack())
    assert (again.delivered, again.failure_ms, again.log_micros) == (2**32 - 1, 2**64 - 1, -(2**63))


def implausible() -> list[Slice]:
    """A slice with two tries of each kind, with one number each that cannot be."""
    wrong = {
        "delivered": 3,
        "failed": MOST + 1,
        "refused": MOST + 1,
        "failure_ms": 2 * 86_400_000 + 1,
        "log_micros": -(10**9),
        "log_squares_micros": 10**12,
    }
    made = []
    for name, value in wrong.items():
        one = Slice()
        for kind in (*OutcomeKind, *OutcomeKind):
            one.add(Counted(outcome(kind=kind)))
        assert one.plausible
        setattr(one, name, value)
        made.append(one)
    return made


@pytest.mark.parametrize("wrong", implausible())
def test_a_slice_with_a_number_that_cannot_be_is_refused(wrong: Slice) -> None:
    with pytest.raises(UndecodableError):
        decode_slice(encode_slice(wrong, (17, 4)))


def test_starts_that_cannot_be_are_counted_and_cost_no_other_slice() -> None:
    hashes, follower = SliceHashes("p:"), Follower()
    good = Slice()
    good.add(Counted(outcome()))
    hour = int(NOW) - int(NOW) % 3600
    data = encode_slice(good, (17, 4))
    wrong = [b"9" * 5000, b"9" * 12, str(hour + 7200).encode(), str(hour + 1).encode(), b"-3600", "\u00b2".encode()]
    hashes.adopt(KEY, [{}, {**dict.fromkeys(wrong, data), str(hour).encode(): data}, {}], follower, now=NOW)
    assert [place for place, _ in follower.ledger.slices()] == [(KEY, "1h", hour)]
    assert hashes.undecodable == len(wrong)


def delivered_today(follower: Follower) -> int:
    return sum(found.delivered for place, found in follower.ledger.slices() if place[1] == "1d")


def adopted(deliveries: int, through: EntryId, into: Follower) -> None:
    found = Slice()
    for _ in range(deliveries):
        found.add(Counted(outcome()))
    day = int(NOW) - int(NOW) % 86_400
    into.ledger.adopt((KEY, "1d", day), found, through, counted=into.last)


def test_a_ledger_takes_a_slice_from_the_store_only_if_it_counts_more() -> None:
    outbox, follower = Outbox("one"), Follower()
    outbox.put(outcome())
    follower.read(numbered(outbox.entries()), now=NOW)
    adopted(7, (1000, 0), follower)
    assert delivered_today(follower) == 1
    adopted(7, (2000, 0), follower)
    assert delivered_today(follower) == 7


def test_a_slice_from_the_store_counts_on_in_a_stream_that_began_anew() -> None:
    outbox, follower = Outbox("one"), Follower()
    adopted(7, (2000, 0), follower)
    outbox.put(outcome())
    follower.read(numbered(outbox.entries(), since=500), now=NOW)
    assert delivered_today(follower) == 7  # it had counted that entry
    assert follower.begun_anew((1001, 0))
    outbox.confirm(1)
    outbox.put(outcome())
    follower.read(numbered(outbox.entries()), now=NOW)
    assert delivered_today(follower) == 8
