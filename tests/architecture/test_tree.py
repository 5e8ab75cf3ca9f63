"""The shape of the tree: module sizes, names, and the four sets that a new provider must extend together."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.catalog.load import load_catalog
from app.settings import Settings
from providers.registry import PROVIDERS, schemas

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path
    for package in ("app", "benchmarks", "providers", "routing", "simulator")
    for path in (ROOT / package).rglob("*.py")
]
TESTS = list((ROOT / "tests").rglob("*.py"))


def of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=of)
def test_a_module_is_small_enough_to_know_one_thing(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", TESTS, ids=of)
def test_a_test_module_is_small_enough(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", CODE, ids=of)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert path.read_text().lstrip().startswith('"""')


def test_no_module_is_called_after_nothing() -> None:
    nothing = {"utils", "helpers", "common", "base", "manager", "misc"}
    assert [of(path) for path in CODE if path.stem in nothing] == []


def test_every_provider_has_a_folder_prices_contract_tests_and_a_line_in_the_registry() -> None:
    registry = set(PROVIDERS)
    folders = {path.parent.name for path in (ROOT / "providers").glob("*/adapter.py")} - {"spec"}
    prices = {path.stem for path in (ROOT / "config/prices").glob("*.toml")}
    contracts = {path.parent.name for path in (ROOT / "tests/contract").glob("*/test_contract.py")}
    assert folders == registry
    assert prices == registry
    assert contracts == registry


def test_shipped_configuration_loads_with_the_schemas_the_adapters_really_speak() -> None:
    catalog = load_catalog(ROOT / "config", providers=schemas())
    sold = {(offer.provider, offer.provider_model.schema) for offer in catalog.offers}
    spoken = {(provider, schema) for provider, names in schemas().items() for schema in names}
    assert sold <= spoken
    assert {offer.provider for offer in catalog.offers} == set(PROVIDERS)


def test_environment_example_lists_every_setting() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [name for name in Settings.model_fields if f"{name.upper()}=" not in example] == []
