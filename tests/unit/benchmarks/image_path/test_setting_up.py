"""What is chosen before anything runs: scenarios, contestants, pins, and what is said when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.image_path.__main__ import CANNOT_RUN, PEERS, main
from benchmarks.image_path.bars import verdicts
from benchmarks.image_path.compiled import CannotRunError, compile_programs
from benchmarks.image_path.contestants import contestants
from benchmarks.image_path.install import PINS, NotInstalledError, portkey, version_of
from benchmarks.image_path.scenarios import SCENARIOS


def test_every_contestant_of_a_scenario_exists_and_belongs_to_a_peer() -> None:
    known = contestants("http://127.0.0.1:9")
    assert {name for each in SCENARIOS for name in each.who} <= known.keys()
    assert {each.peer for each in known.values()} == {*PEERS}


def test_a_quick_run_sends_less_and_spares_peers_what_takes_them_minutes() -> None:
    by_name = {each.name: each for each in SCENARIOS}
    small, flight = by_name["small"], by_name["flight2000"]
    assert small.count_for("ours", quick=True) < small.count_for("ours", quick=False)
    assert small.count_for("litellm", quick=False) < small.count_for("ours", quick=False)
    assert flight.count_for("ours", quick=True) == 2000  # less would not be what the bar is about
    assert flight.taking_part(quick=True) == ("ours",)
    assert "litellm" in flight.taking_part(quick=False)


def test_nothing_measured_misses_no_bar() -> None:
    assert all(each.holds is None for each in verdicts({}))


def test_without_a_compiler_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(CannotRunError, match="C compiler"):
        compile_programs(tmp_path)
    assert main(["--peers", "ours", "--output", str(tmp_path / "result")]) == CANNOT_RUN
    assert "C compiler" in capsys.readouterr().err
    assert not (tmp_path / "result.json").exists()


def test_without_node_portkey_is_named_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NotInstalledError, match="node"):
        portkey()


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "small,smal"])
    assert "smal" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["litellm", "portkey"])
def test_a_peer_is_pinned_to_one_version(name: str) -> None:
    assert version_of(name, Path()).replace(".", "").isdigit()


def test_pins_bear_hashes_and_name_no_index() -> None:
    requirements = (PINS / "litellm.lock").read_text()
    assert requirements.count("==") <= requirements.count("--hash=sha256:")
    assert "index-url" not in requirements
    assert "resolved" not in (PINS / "package-lock.json").read_text()
