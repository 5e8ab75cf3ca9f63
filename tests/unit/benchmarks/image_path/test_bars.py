from __future__ import annotations

from benchmarks.image_path.bars import Rounds, figure, verdicts


def test_a_figure_is_the_median_of_its_rounds() -> None:
    rounds: Rounds = {"4k": {"ours": [{"cpu_ms": 30.0}, {"cpu_ms": 90.0}, {"cpu_ms": 20.0}]}}
    assert figure(rounds, "4k", "ours", "cpu_ms") == 30.0
    assert figure(rounds, "4k", "nginx", "cpu_ms") is None


def test_a_bar_is_a_ratio_to_the_peer_of_the_same_run() -> None:
    rounds: Rounds = {"4k": {"ours": [{"cpu_ms": 40.0}], "nginx": [{"cpu_ms": 16.0}], "litellm": [{"cpu_ms": 80.0}]}}
    found = {(each.told, each.unit): each for each in verdicts(rounds)}
    to_nginx = found["CPU per verified 4K image, Gemini", "of nginx"]
    to_litellm = found["CPU per verified 4K image, Gemini", "of LiteLLM"]
    assert (to_nginx.value, to_nginx.holds) == (2.5, True)
    assert (to_litellm.value, to_litellm.holds) == (0.5, False)


def test_a_bar_whose_peer_is_missing_neither_holds_nor_is_missed() -> None:
    rounds: Rounds = {"small": {"ours": [{"cpu_ms": 0.5}]}}
    assert all(each.holds is None for each in verdicts(rounds) if each.told.startswith("CPU per small"))


def test_a_peer_measured_at_nothing_gives_no_ratio() -> None:
    rounds: Rounds = {"small": {"ours": [{"cpu_ms": 0.5}], "portkey": [{"cpu_ms": 0.0}]}}
    assert all(each.value is None for each in verdicts(rounds) if each.told.startswith("CPU per small"))


def test_requests_that_never_reached_the_upstream_together_miss_the_bar() -> None:
    rounds: Rounds = {"flight2000": {"ours": [{"most_at_upstream": 1999.0, "failed": 0.0}]}}
    found = next(each for each in verdicts(rounds) if "not at the upstream" in each.told and "2,000" in each.told)
    assert (found.value, found.holds) == (1.0, False)


def test_one_failed_request_in_any_round_of_ours_misses_the_bar() -> None:
    rounds: Rounds = {
        "1k": {"ours": [{"failed": 0.0}, {"failed": 1.0}, {"failed": 0.0}]},
        "4k": {"portkey": [{"failed": 9.0}]},
    }
    found = next(each for each in verdicts(rounds) if each.told.startswith("failed requests"))
    assert (found.value, found.holds) == (1.0, False)
