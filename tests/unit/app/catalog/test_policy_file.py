"""policy.toml: every knob is read, none may be missing, and knobs that contradict each other stop the start."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from app.catalog.files import CatalogError
from app.catalog.policy_file import read_policy
from routing.knobs import Objective
from routing.policy import Policy
from tests.unit.app.catalog.shipped import CONFIG

PROVIDERS = ("gemini", "vertex", "fal", "replicate")
SHIPPED = (CONFIG / "policy.toml").read_text()


def read(tmp_path: Path, text: str) -> Policy:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    return read_policy(file, providers=PROVIDERS)


def sentence(tmp_path: Path, text: str) -> str:
    with pytest.raises(CatalogError) as stopped:
        read(tmp_path, text)
    said = str(stopped.value)
    assert said.startswith(f"{tmp_path}/policy.toml: ")
    return said.removeprefix(f"{tmp_path}/policy.toml: ")


def changed(old: str, new: str) -> str:
    assert SHIPPED.count(old) >= 1, old
    return SHIPPED.replace(old, new, 1)


def keys(table: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


KNOBS = [key for key in keys(tomllib.loads(SHIPPED)) if not key.startswith("families.")]


def knobs_of(record: object, prefix: str = "") -> Iterator[str]:
    """The path of every field of a knobs record and of those in it."""
    assert is_dataclass(record)
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            yield from knobs_of(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name


def test_the_shipped_file_is_the_defaults_of_the_code() -> None:
    assert read_policy(CONFIG / "policy.toml", providers=PROVIDERS) == Policy()


def test_the_file_has_every_knob_of_the_code() -> None:
    in_file = {re.sub(r"^policies\.\w+\.", "objectives.", key) for key in keys(tomllib.loads(SHIPPED))}
    expected = set(knobs_of(Policy())) - {"objectives", "weights", "caps", "families"}
    expected |= {f"objectives.{field.name}" for field in fields(Objective)}
    by_resolution = {"attempt_limit_s", "priors.size_factors"}
    in_file = {next((table for table in by_resolution if key.startswith(table)), key) for key in in_file}
    assert {key for key in in_file if not key.startswith("families.")} == expected


@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_that_is_missing_is_named(knob: str, tmp_path: Path) -> None:
    assert sentence(tmp_path, without(knob)) == f"{knob}: the key is missing."


@pytest.mark.parametrize("knob", KNOBS)
def test_a_misspelt_knob_is_named(knob: str, tmp_path: Path) -> None:
    key = knob.rpartition(".")[2]
    assert sentence(tmp_path, without(knob, misspelt=True)) == (
        f"{knob}x: there is no such key, while {key} is missing."
    )


def test_every_knob_stands_below_a_comment() -> None:
    # Knobs of one kind share the comment above the first of them or above their table.
    lines = SHIPPED.splitlines()
    for number, text in enumerate(lines):
        if " = " in text and not text.startswith("#"):
            above = next(line for line in reversed(lines[:number]) if " = " not in line or line.startswith("#"))
            if above.startswith("["):
                above = lines[lines.index(above) - 1]
            assert above.startswith("#"), text


def section(table: str) -> str:
    if not table:
        return SHIPPED[: SHIPPED.index("\n[")]
    header = re.search(rf"\n\[{re.escape(table)}\]\n", SHIPPED)
    assert header, table
    rest = SHIPPED[header.start() + 1 :]
    end = rest.find("\n[", 1)
    return rest if end < 0 else rest[: end + 1]


def key_text(key: str) -> str:
    return f'"{key}"' if key[0].isdigit() else key


def without(knob: str, *, misspelt: bool = False) -> str:
    table, _, key = knob.rpartition(".")
    part = section(table)
    spelt = f'"{key}x"' if key[0].isdigit() else f"{key}x"
    left, count = re.subn(
        rf"^{re.escape(key_text(key))} = (.*)$", rf"{spelt} = \1" if misspelt else "", part, count=1, flags=re.MULTILINE
    )
    assert count == 1, knob
    return SHIPPED.replace(part, left, 1)


@pytest.mark.parametrize("policy", ["cheapest", "balanced", "fastest", "most_reliable"])
def test_the_four_policies_must_be_there(policy: str, tmp_path: Path) -> None:
    renamed = changed(f"[policies.{policy}]", "[policies.mine]")
    assert sentence(tmp_path, renamed) == f"policies.{policy}: the table is missing."


def test_a_policy_of_ones_own_may_be_added_and_be_the_default(tmp_path: Path) -> None:
    night = (
        "[policies.night]\nvalue_of_time_usd_per_s = 0\nfailed_try_usd = 0\nfailed_request_usd = 0.1\n"
        "failed_request_s = 600\nhedge_share = 0\n"
    )
    policy = read(tmp_path, changed('default_policy = "balanced"', 'default_policy = "night"') + "\n" + night)
    assert policy.default_policy == "night"
    assert policy.objectives["night"] == Objective(0.0, 0.0, 0.1, 600.0, 0.0)
    assert list(policy.objectives) == ["cheapest", "balanced", "fastest", "most_reliable", "night"]


def test_preferences_by_provider_are_read(tmp_path: Path) -> None:
    text = changed("forbidden_providers = []", 'forbidden_providers = ["vertex"]')
    text = text.replace("[weights]\n", "[weights]\nfal = 1.1\n").replace("[caps]\n", "[caps]\nreplicate = 20\n")
    policy = read(tmp_path, text.replace('gemini = "google"\n', ""))
    assert policy.forbidden_providers == {"vertex"}
    assert (policy.weights, policy.caps, policy.families) == ({"fal": 1.1}, {"replicate": 20}, {"vertex": "google"})


def test_whole_numbers_pass_for_seconds(tmp_path: Path) -> None:
    assert read(tmp_path, changed("open_s = 15.0", "open_s = 15")) == Policy()


WRONG = {
    'default_policy = "balanced"|default_policy = "quick"': (
        'default_policy: "quick" is not one of "cheapest", "balanced", "fastest", "most_reliable".'
    ),
    'forbidden_providers = []|forbidden_providers = ["runware"]': (
        'forbidden_providers: "runware" is not one of "fal", "gemini", "replicate", "vertex".'
    ),
    'forbidden_providers = []|forbidden_providers = ["fal", "fal"]': 'forbidden_providers: "fal" stands there twice.',
    'forbidden_providers = []|forbidden_providers = ["fal", "gemini", "replicate", "vertex"]': (
        "forbidden_providers: every provider is forbidden, and nobody is left to serve a request."
    ),
    "[weights]\n|[weights]\nrunware = 1\n": 'weights: "runware" is not one of "fal", "gemini", "replicate", "vertex".',
    "[weights]\n|[weights]\nfal = 0.0\n": "weights.fal: 0.0 is wrong: it must be above 0.",
    "[caps]\n|[caps]\nrunware = 1\n": 'caps: "runware" is not one of "fal", "gemini", "replicate", "vertex".',
    "[caps]\n|[caps]\nfal = 0\n": "caps.fal: 0 is wrong: it must be at least 1.",
    "[caps]\n|[caps]\nfal = 1.5\n": "caps.fal: a whole number is needed.",
    'gemini = "google"|runware = "google"': 'families: "runware" is not one of "fal", "gemini", "replicate", "vertex".',
    "min_attempt_limit_s = 15.0|min_attempt_limit_s = 80": (
        "min_attempt_limit_s: 80 is above attempt_limit_s.512, which is 75."
    ),
    "\nfast_half_life_s = 120.0|\nfast_half_life_s = 30000.0": (
        "statistics.fast_half_life_s: 30000 is above statistics.slow_half_life_s, which is 21600."
    ),
    "\nlatency_half_life_s = 240.0|\nlatency_half_life_s = 30000.0": (
        "statistics.latency_half_life_s: 30000 is above statistics.long_run_half_life_s, which is 21600."
    ),
    "sigma_min = 0.15|sigma_min = 0.5": "statistics.sigma_min: 0.5 is above statistics.sigma_prior, which is 0.4.",
    "sigma_max = 1.0|sigma_max = 0.3": "statistics.sigma_prior: 0.4 is above statistics.sigma_max, which is 0.3.",
    "failing_success = 0.3|failing_success = 0.7": (
        "breaker.failing_success: 0.7 is above breaker.success_min, which is 0.6."
    ),
    "success_min = 0.6|success_min = 0.99": "breaker.success_min: 0.99 is above breaker.success_max, which is 0.985.",
    "\nopen_s = 15.0|\nopen_s = 150.0": "breaker.open_s: 150 is above breaker.max_open_s, which is 120.",
    "\nraise_after_s = 2.0|\nraise_after_s = 300.0": (
        "limits.raise_after_s: 300 is above limits.max_raise_after_s, which is 30."
    ),
    "\ntest_wait_s = 3.0|\ntest_wait_s = 90.0": "limits.test_wait_s: 90 is above limits.max_test_wait_s, which is 60.",
    "hedge_share = 0.30|hedge_share = 30": "policies.fastest.hedge_share: 30 is wrong: it must be at most 1.",
    "value_of_time_usd_per_s = 0.05|value_of_time_usd_per_s = -1": (
        "policies.fastest.value_of_time_usd_per_s: -1 is wrong: it must be at least 0."
    ),
    "[policies.fastest]|[policies.Fastest]": (
        "policies.Fastest: 'Fastest' does not look like a name such as \"nano-banana-2\" "
        '(lower-case letters, digits, ".", "_", "-").'
    ),
    "success = 0.93|success = 93": "priors.success: 93 is wrong: it must be below 1.",
    "hope = 4.0|hope = 0.5": "exploration.hope: 0.5 is wrong: it must be at least 1.",
    "enabled = false|enabled = 0": "hedging.enabled: true or false is needed.",
    "change_keep = 3|change_keep = 0": "statistics.change_keep: 0 is wrong: it must be at least 1.",
    "sharing_interval_s = 0.5|sharing_interval_s = 0": "sharing_interval_s: 0 is wrong: it must be above 0.",
}


@pytest.mark.parametrize("change", WRONG)
def test_what_cannot_be_meant_stops_the_start_with_one_sentence(change: str, tmp_path: Path) -> None:
    old, _, new = change.partition("|")
    assert sentence(tmp_path, changed(old, new)) == WRONG[change]
