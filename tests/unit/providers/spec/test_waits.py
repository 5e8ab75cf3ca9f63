"""stated_wait: what the headers say about waiting."""

from __future__ import annotations

import pytest

from providers.spec.waits import stated_wait

NOON = "Fri, 20 Nov 2026 12:00:00 GMT"
HALF_PAST = "Fri, 20 Nov 2026 12:30:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": HALF_PAST, "date": NOON}, 1800.0),
        ({"retry-after": NOON, "date": HALF_PAST}, 0.0),
    ],
)
def test_a_stated_wait_is_read_in_seconds(headers: dict[str, str], seconds: float) -> None:
    assert stated_wait(headers) == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": "-3"},
        {"retry-after": "nan"},
        {"retry-after": "1e999"},
        {"retry-after": "a while"},
        {"retry-after": HALF_PAST},
        {"retry-after": HALF_PAST, "date": "today"},
        {"retry-after": "Fri, 20 Nov 2026 12:30:00", "date": NOON},
        {"retry-after": "Fri, 99 Nov 2026 99:99:99 GMT", "date": NOON},
        {"retry-after": "Fri, 20 Nov 99999999999 12:30:00 GMT", "date": NOON},
    ],
)
def test_what_cannot_be_read_states_nothing(headers: dict[str, str]) -> None:
    assert stated_wait(headers) is None
