"""Every metric says how several workers share it; the rule stands in ``app.telemetry.Telemetry``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "app"
OF_THE_LIVING = {"livesum", "livemax", "livemin"}
"""How the gauges of the workers there are become one. The other modes of the client also count the dead, or show every
process apart, which a page of one gateway does not."""


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """All calls of something of this name in the application, and where they are."""
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name == getattr(node.func, "id", getattr(node.func, "attr", None)):
                yield f"{path.relative_to(APP.parent)}:{node.lineno}", node


def test_gauges_say_how_they_are_joined() -> None:
    found = list(calls("Gauge"))
    assert found
    for place, call in found:
        modes = [each.value for each in call.keywords if each.arg == "multiprocess_mode"]
        assert [mode.value for mode in modes if isinstance(mode, ast.Constant) and mode.value in OF_THE_LIVING], place


def test_collectors_are_shown_in_the_way_that_workers_share() -> None:
    known = {"app/telemetry.py", "app/shared_metrics.py"}
    registering = [place for place, call in calls("register") if "registry" in ast.unparse(call.func)]
    assert registering
    assert [place for place in registering if place.partition(":")[0] not in known] == []


def test_nothing_is_done_to_a_metric_that_workers_cannot_share() -> None:
    assert [place for place, _ in calls("set_function")] == []
