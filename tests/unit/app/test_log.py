"""What may speak on standard error."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.as_json import as_json
from app.log import _line, _shown
from providers.spec.request import ImageRequest

SPEAKING = """
import warnings
from app.log import set_up_logging
set_up_logging()
for number in range(3):
    warnings.warn_explicit(f"tag {number}", UserWarning, "TiffImagePlugin.py", 946, module="PIL.TiffImagePlugin")
warnings.warn_explicit("of another", UserWarning, "other.py", 1, module="PILLAR.other")
"""


def test_the_image_librarys_warnings_are_no_lines_of_the_log() -> None:
    """It has one for every entry of a damaged directory, of which a file of 1 MB has sixty thousand."""
    said = subprocess.run([sys.executable, "-c", SPEAKING], capture_output=True, text=True, check=True).stderr
    assert "tag" not in said
    assert "of another" in said


@pytest.mark.parametrize(
    "said", ["a\u2028b", "a\x85b", "a\x9b2Jb", "a\x7fb", "\u202eb", "\ud800", "\U0001f98a", "plain"]
)
def test_a_line_is_one_line_of_plain_characters(said: str) -> None:
    line = _line(None, "info", {"event": "refused", "param": said}).decode("ascii")
    assert line.isprintable()
    told = json.loads(line)
    time = told.pop("timestamp")
    assert told == {"event": "refused", "param": said, "level": "info"}
    assert time.endswith("Z")
    assert abs(datetime.fromisoformat(time) - datetime.now(UTC)) < timedelta(minutes=1)


def test_keys_that_are_none_in_json_do_not_cost_the_line() -> None:
    told = json.loads(_line(None, "info", {"event": "request", "odd": {(1, 2): 3}, "other": 5}))
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "request", "odd": "{(1, 2): 3}", "other": "5", "level": "info"}


def test_what_is_not_to_be_seen_is_not_in_a_line() -> None:
    assert b"secret" not in _line(None, "error", {"event": "bug", "request": ImageRequest("model", "a secret")})


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_written_alike_on_both_ways(time: datetime) -> None:
    assert as_json(time) == f'"{_shown(time)}"'.encode()
