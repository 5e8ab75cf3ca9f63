"""Finding a model by whatever a caller calls it, and keeping to the providers that are set up."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from app.catalog.catalog import Catalog, UnknownModelError
from app.catalog.models import FoundModel
from providers.spec.request import Resolution
from tests.unit.app.catalog.shipped import FLUX, NB1, NB2, NB21, PRO, shipped

CATALOG = shipped()
R512, R1K, R2K, R4K = Resolution


def refusal(name: str | None, default_model: str = NB2, catalog: object = CATALOG) -> UnknownModelError:
    assert isinstance(catalog, type(CATALOG))
    with pytest.raises(UnknownModelError) as refused:
        catalog.find(name, default_model=default_model)
    return refused.value


@pytest.mark.parametrize(
    ("name", "model", "provider", "resolution"),
    [
        (NB2, NB2, None, None),
        (PRO, PRO, None, None),
        (NB1, NB1, None, None),
        (NB21, NB21, None, None),
        (FLUX, FLUX, None, None),
        ("nano-banana-2", NB2, None, None),
        ("nano-banana-pro", PRO, None, None),
        ("nano-banana", NB1, None, None),
        ("nano-banana-2.1", NB21, None, None),
        ("gemini-3.1-flash-image", NB2, None, None),
        ("gemini-3-pro-image", PRO, None, None),
        (f"{NB2}-512", NB2, None, R512),
        (f"{NB2}-2k", NB2, None, R2K),
        (f"{NB2}-4k", NB2, None, R4K),
        (f"{PRO}-4k", PRO, None, R4K),
        ("nano-banana-2-2k", NB2, None, R2K),
        ("gemini-3-pro-image-2K", PRO, None, R2K),
        ("flux-schnell-512", FLUX, None, R512),
        ("Nano-Banana-2", NB2, None, None),
        ("  nano-banana-2\n", NB2, None, None),
        (f"fal/{NB2}", NB2, "fal", None),
        ("replicate/nano-banana-pro-4k", PRO, "replicate", R4K),
        ("GEMINI/Nano-Banana-2.1", NB21, "gemini", None),
        # What a provider cannot do is for its capability to say; the name is known.
        (f"replicate/{NB2}-512", NB2, "replicate", R512),
    ],
)
def test_a_name_means_a_model_a_pin_and_a_tier(
    name: str, model: str, provider: str | None, resolution: Resolution | None
) -> None:
    found = CATALOG.find(name, default_model=FLUX)
    assert (found.model.name, found.provider, found.resolution, found.warning) == (model, provider, resolution, None)


@pytest.mark.parametrize("absent", [None, "", "  "])
def test_no_name_means_the_default_model_without_a_warning(absent: str | None) -> None:
    found = CATALOG.find(absent, default_model="fal/nano-banana-2-2k")
    assert (found.model.name, found.provider, found.resolution, found.warning) == (NB2, "fal", R2K, None)


@pytest.mark.parametrize("dead", ["dall-e-2", "dall-e-3", "gpt-image-1", "DALL-E-3"])
def test_a_dead_name_of_openai_is_served_by_the_default_model_with_a_warning(dead: str) -> None:
    found = CATALOG.find(dead, default_model="nano-banana-pro")
    assert found.model.name == PRO
    assert found.warning == f'"{dead.lower()}" is no longer offered by anyone; {PRO} serves the request instead.'


def test_a_dead_name_can_be_pinned_and_its_pin_overrules_that_of_the_default_model() -> None:
    found = CATALOG.find("fal/dall-e-3", default_model="gemini/nano-banana-2")
    assert (found.model.name, found.provider) == (NB2, "fal")
    assert found.warning is not None


def test_a_dead_name_cannot_be_pinned_to_a_provider_without_the_default_model() -> None:
    assert "gemini does not sell flux-schnell" in str(refusal("gemini/dall-e-3", default_model=FLUX))


@pytest.mark.parametrize("living", ["gpt-image-1.5", "gpt-image-2", "chatgpt-image-latest"])
def test_openais_living_models_are_other_products_and_unknown(living: str) -> None:
    assert refusal(living).name == living
    assert "GET /v1/models" in str(refusal(living))  # no other product's name is put into anybody's mouth


def test_a_default_model_that_does_not_exist_is_named() -> None:
    unknown = refusal(None, default_model="nano-bananas")
    assert unknown.name == "nano-bananas"
    assert "nano-banana" in str(unknown)


def test_a_default_model_cannot_be_a_dead_name() -> None:
    assert refusal("dall-e-3", default_model="dall-e-3").name == "dall-e-3"


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("nano-bananna-2", "nano-banana-2"),
        ("gemini-3.1-flash-image-previw", NB2),
        ("google/nano-banana-2", "nano-banana-2"),
        ("black-forest-labs/flux-schnell", FLUX),
        (f"{NB21}-512", f"{NB21}-2k"),
        ("fal/flux-schnel", FLUX),
    ],
)
def test_an_unknown_name_is_answered_with_names_that_come_close(name: str, close: str) -> None:
    unknown = refusal(name)
    assert unknown.name == name
    assert str(unknown).startswith(f'The model "{name}" does not exist; names that come close: ')
    assert close in str(unknown)


@pytest.mark.parametrize("name", ["/", "fal/", "/nano-banana-2", "fal/fal/nano-banana-2", "nano-banana-2/fal", "-512"])
def test_half_a_name_is_unknown(name: str) -> None:
    refusal(name)


def test_what_is_like_nothing_is_pointed_to_the_list() -> None:
    assert str(refusal("qqqq")) == 'The model "qqqq" does not exist; GET /v1/models lists those that do.'


def test_a_pin_names_who_sells_the_model_instead() -> None:
    assert str(refusal(f"fal/{NB21}")) == (
        f'The model "fal/{NB21}" does not exist: fal does not sell {NB21}; gemini and vertex can serve it.'
    )


def test_a_hostile_name_is_cut_and_made_harmless() -> None:
    unknown = refusal("\x1b[31m\x00" + "x" * 100_000)
    assert len(unknown.name) <= 120
    assert len(str(unknown)) < 300
    assert str(unknown).isprintable()


def test_offers_are_all_that_sell_the_model_or_the_pinned_one() -> None:
    every = CATALOG.offers_of(CATALOG.find(NB2, default_model=NB2))
    assert [offer.provider for offer in every] == ["gemini", "vertex", "fal", "replicate"]
    pinned = CATALOG.offers_of(CATALOG.find(f"fal/{NB2}", default_model=NB2))
    assert [offer.key for offer in pinned] == [f"fal/{NB2}"]


def test_a_catalog_keeps_to_the_providers_that_are_set_up() -> None:
    kept = CATALOG.restricted_to(["replicate"])
    assert {offer.provider for offer in kept.offers} == {"replicate"}
    assert list(kept.models) == [NB2, PRO, NB1, FLUX]
    assert kept.models[NB2].resolutions == (R1K, R2K, R4K)
    assert tuple(kept.models[NB2].pixels) == (R1K, R2K, R4K)
    assert kept.models[NB2].accepted_pixels == {}
    assert kept.models[FLUX] == CATALOG.models[FLUX]
    assert kept.prices is CATALOG.prices


def test_a_catalog_of_nobody_is_empty_and_one_of_everybody_is_whole() -> None:
    nobody = CATALOG.restricted_to([])
    assert (nobody.models, nobody.offers) == ({}, ())
    everybody = CATALOG.restricted_to(["vertex", "replicate", "fal", "gemini"])
    assert everybody.models == CATALOG.models
    assert everybody.offers == CATALOG.offers


def test_what_is_not_set_up_is_said_to_be_so() -> None:
    kept = CATALOG.restricted_to(["replicate"])
    assert "it is sold by gemini and vertex, none of which is set up" in str(refusal("nano-banana-2.1", catalog=kept))
    assert "fal is not set up here; replicate can serve it" in str(refusal("fal/nano-banana-2", catalog=kept))
    assert "is only to be had at 1K, 2K and 4K" in str(refusal("nano-banana-2-512", catalog=kept))
    assert "close: " not in str(refusal("nano-banana-2.1", catalog=kept))


def test_names_of_what_is_not_set_up_are_not_recommended() -> None:
    kept = CATALOG.restricted_to(["replicate"])
    recommended = str(refusal("nano-banana-2.11", catalog=kept)).partition("close: ")[2]
    assert "nano-banana-2" in recommended
    assert "2.1" not in recommended
    assert "512" not in recommended


def test_a_model_that_lost_its_default_tier_takes_the_next_larger_else_the_largest() -> None:
    model = CATALOG.models[NB2]
    assert model.limited_to({R512, R4K}, {"1:1"}).default_resolution is R4K
    smallest = model.limited_to({R512}, {"1:1", "16:9"})
    assert smallest.default_resolution is R512
    assert smallest.aspect_ratios == ("1:1", "16:9")
    assert smallest.pixels == {R512: {"1:1": (512, 512), "16:9": (688, 384)}}


@pytest.mark.parametrize(
    ("name", "model", "provider", "resolution", "policy"),
    [
        ("nano-banana-2:floor", NB2, None, None, "cheapest"),
        ("nano-banana-2:nitro", NB2, None, None, "fastest"),
        (f"{PRO}:NITRO", PRO, None, None, "fastest"),
        ("fal/nano-banana-2-4k:floor", NB2, "fal", R4K, "cheapest"),
        (" Flux-Schnell:Most_Reliable ", FLUX, None, None, "most_reliable"),
        ("flux-schnell:balanced", FLUX, None, None, "balanced"),
        ("nano-banana-2", NB2, None, None, None),
    ],
)
def test_a_name_may_name_a_policy_behind_a_colon(
    name: str, model: str, provider: str | None, resolution: Resolution | None, policy: str | None
) -> None:
    found = CATALOG.find(name, default_model=NB1)
    assert found == FoundModel(CATALOG.models[model], provider, resolution, policy=policy)


def test_an_operators_own_policy_is_a_suffix_too() -> None:
    objectives = {**CATALOG.policy.objectives, "night": CATALOG.policy.objectives["cheapest"]}
    own = replace(CATALOG, policy=replace(CATALOG.policy, objectives=objectives))
    assert own.find("nano-banana:night", default_model=NB1).policy == "night"
    assert ":night" in str(refusal("nano-banana:day", catalog=own))


def test_a_dead_name_may_name_a_policy_which_overrules_that_of_the_default_model() -> None:
    assert CATALOG.find("dall-e-3:floor", default_model=NB2).policy == "cheapest"
    assert CATALOG.find("dall-e-3:floor", default_model=f"{NB2}:nitro").policy == "cheapest"
    assert CATALOG.find("dall-e-3", default_model=f"{NB2}:nitro").policy == "fastest"
    assert CATALOG.find(None, default_model=f"{NB2}:nitro").policy == "fastest"


@pytest.mark.parametrize("name", ["nano-banana-2:free", "fal/nano-banana-2:", "dall-e-3:online"])
def test_an_unknown_suffix_is_answered_with_those_there_are(name: str) -> None:
    unknown = refusal(name)
    assert unknown.name == name
    assert str(unknown) == (
        f'The model "{name}" does not exist: the suffixes of a name are '
        ":floor, :nitro, :cheapest, :balanced, :fastest and :most_reliable."
    )


@pytest.mark.parametrize("name", [":floor", ":", "nano-banana-2:floor:nitro", "nano:banana"])
def test_a_suffix_makes_no_name(name: str) -> None:
    refusal(name)


def test_an_unknown_name_with_a_suffix_is_answered_with_names_that_come_close() -> None:
    assert "names that come close: nano-banana-2" in str(refusal("nano-bananna-2:floor"))


def rated(**quality: float) -> Catalog:
    """The catalog with these figures, by the models' short names."""
    figures = {CATALOG.find(name.replace("_", "-"), default_model=NB2).model.name: q for name, q in quality.items()}
    models = {name: replace(model, quality=figures.get(name)) for name, model in CATALOG.models.items()}
    return replace(CATALOG, models=MappingProxyType(models))


@pytest.mark.parametrize(
    ("primary", "names", "expected"),
    [
        (None, ["flux-schnell", "nano-banana", "nano-banana-pro"], [PRO, NB1, FLUX]),
        ("flux-schnell", ["flux-schnell", "nano-banana", "nano-banana-pro"], [FLUX, PRO, NB1]),
        ("nano-banana-2", ["nano-banana-2", "flux-schnell", "nano-banana"], [NB2, NB1, FLUX]),
        # Nano Banana 2 has no figure: among models that are not all rated the caller's order counts.
        (None, ["flux-schnell", "nano-banana-2", "nano-banana-pro"], [FLUX, NB2, PRO]),
        (None, ["flux-schnell", "black-forest-labs"], None),
        ("flux-schnell", [], [FLUX]),
        (None, [], [NB21]),
        # The same figure: the caller's order.
        (None, ["nano-banana-2.1", "flux-schnell", "nano-banana-pro"], [PRO, NB21, FLUX]),
        (None, ["flux-schnell", "nano-banana-2.1", "nano-banana-pro"], [PRO, FLUX, NB21]),
        (None, ["flux-schnell", "flux-1-schnell", "flux-schnell-512"], [FLUX, FLUX]),
    ],
)
def test_models_are_ordered_by_quality_where_all_have_a_figure(
    primary: str | None, names: Sequence[str], expected: list[str] | None
) -> None:
    figures = {"flux_schnell": 40.0, "nano_banana": 60.0, "nano_banana_pro": 90.0, "nano_banana_2.1": 40.0}
    catalog = rated(**figures)
    if expected is None:
        with pytest.raises(UnknownModelError):
            catalog.ordered_models(primary, names, default_model=NB21)
        return
    found = catalog.ordered_models(primary, names, default_model=NB21)
    assert [each.model.name for each in found] == expected


def test_without_figures_the_callers_order_counts_and_pins_and_policies_stay() -> None:
    found = CATALOG.ordered_models(None, ["fal/nano-banana:floor", "nano-banana-pro-4k"], default_model=NB2)
    assert [(each.model.name, each.provider, each.resolution, each.policy) for each in found] == [
        (NB1, "fal", None, "cheapest"),
        (PRO, None, R4K, None),
    ]
