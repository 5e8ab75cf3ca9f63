"""A body in several pieces is as good as one in one, and what it takes is free again with its last user."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.pieces import Held, Memory, Span, between, length_of


def test_a_piece_counts_until_its_last_user_is_done() -> None:
    memory = Memory(10)
    memory.take(10)
    held = Held(b"0123456789", memory)
    spans = (Span(held.data, held),)
    first, second = between(spans, (0, 2), (5, 9))
    del held
    assert memory.free == 0
    del spans, second
    assert memory.free == 0
    del first
    assert memory.free == 10


def test_a_piece_may_be_let_go_of_in_any_thread() -> None:
    memory = Memory(10)
    memory.take(10)
    helds = [Held(b"x", memory) for _ in range(10)]
    threads = [threading.Thread(target=helds.pop) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.free == 10


bodies = st.lists(st.tuples(st.binary(max_size=9), st.sampled_from(["bytes", "view", "held"])), max_size=8)
places = st.integers(0, 30)


@settings(max_examples=300)
@given(bodies, places, places)
def test_what_is_between_two_places_is_what_is_between_them_in_the_whole(
    parts: list[tuple[bytes, str]], start: int, end: int
) -> None:
    memory = Memory(100)
    body = tuple(
        Span(memoryview(data) if kind == "view" else data, Held(data, memory) if kind == "held" else None)
        for data, kind in parts
    )
    whole = b"".join(data for data, _ in parts)
    (found,) = between(body, (start, end))
    assert b"".join(span.data for span in found) == whole[start:end]
    assert length_of(found) == len(whole[start:end])
    assert length_of(body) == len(whole)


@settings(max_examples=300)
@given(bodies, places, places)
def test_nothing_is_copied_and_each_part_keeps_what_it_lies_in(
    parts: list[tuple[bytes, str]], start: int, end: int
) -> None:
    memory = Memory(100)
    body = tuple(Span(data, Held(data, memory)) for data, _ in parts)
    for span in between(body, (start, end))[0]:
        lies_in = span.data.obj if isinstance(span.data, memoryview) else span.data
        assert span.held is not None
        assert lies_in is span.held.data
