"""The shipped files load, and say what the vendors say."""

from decimal import Decimal

import pytest

from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from routing.policy import Policy
from tests.unit.app.catalog.shipped import FLUX, NB1, NB2, NB21, PRO, SCHEMAS, TODAY, shipped

CATALOG = shipped()
R512, R1K, R2K, R4K = Resolution

CLASSIC = {"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
EXTENDED = CLASSIC | {"1:4", "4:1", "1:8", "8:1"}


def offers(model: str) -> dict[str, str]:
    return {offer.provider: offer.provider_model.id for offer in CATALOG.offers if offer.model == model}


def test_the_models_are_there_in_the_order_of_the_file() -> None:
    assert list(CATALOG.models) == [NB2, PRO, NB1, NB21, FLUX]


@pytest.mark.parametrize(
    ("model", "ids"),
    [
        (
            NB2,
            {
                "gemini": "gemini-3.1-flash-image",
                "vertex": "gemini-3.1-flash-image",
                "fal": "fal-ai/nano-banana-2",
                "replicate": "google/nano-banana-2",
            },
        ),
        (
            PRO,
            {
                "gemini": "gemini-3-pro-image",
                "vertex": "gemini-3-pro-image",
                "fal": "fal-ai/nano-banana-pro",
                "replicate": "google/nano-banana-pro",
            },
        ),
        (
            NB1,
            {
                "gemini": "gemini-2.5-flash-image",
                "vertex": "gemini-2.5-flash-image",
                "fal": "fal-ai/nano-banana",
                "replicate": "google/nano-banana",
            },
        ),
        (NB21, {"gemini": "gemini-nano-banana-2.1", "vertex": "gemini-nano-banana-2.1"}),
        (FLUX, {"fal": "fal-ai/flux/schnell", "replicate": "black-forest-labs/flux-schnell"}),
    ],
)
def test_each_model_is_sold_where_its_schema_is_known_under_an_id_that_lives(model: str, ids: dict[str, str]) -> None:
    assert offers(model) == ids


def test_only_fal_needs_an_id_of_its_own_for_edits() -> None:
    edit_ids = {offer.key: offer.provider_model.edit_id for offer in CATALOG.offers if offer.provider_model.edit_id}
    assert edit_ids == {
        f"fal/{NB2}": "fal-ai/nano-banana-2/edit",
        f"fal/{PRO}": "fal-ai/nano-banana-pro/edit",
        f"fal/{NB1}": "fal-ai/nano-banana/edit",
    }


def test_positions_follow_the_file_and_are_distinct() -> None:
    assert [offer.position for offer in CATALOG.offers] == list(range(len(CATALOG.offers)))
    assert [offer.provider for offer in CATALOG.offers if offer.model == NB2] == [
        "gemini",
        "vertex",
        "fal",
        "replicate",
    ]


@pytest.mark.parametrize(
    ("model", "resolutions", "ratios"),
    [
        (NB2, (R512, R1K, R2K, R4K), EXTENDED),
        (PRO, (R1K, R2K, R4K), CLASSIC),
        (NB1, (R1K,), CLASSIC),
        (NB21, (R1K, R2K, R4K), EXTENDED),
        (FLUX, (R512, R1K), CLASSIC | {"9:21"}),
    ],
)
def test_a_model_has_the_resolutions_and_ratios_of_its_offers(
    model: str, resolutions: tuple[Resolution, ...], ratios: set[str]
) -> None:
    found = CATALOG.models[model]
    assert found.resolutions == resolutions
    assert found.default_resolution is R1K
    assert set(found.aspect_ratios) == ratios
    assert tuple(found.pixels) == resolutions
    for sizes in found.pixels.values():
        assert set(sizes) == ratios


@pytest.mark.parametrize(
    ("model", "resolution", "ratio", "pixels"),
    [
        (NB2, R512, "1:1", (512, 512)),
        (NB2, R512, "21:9", (792, 336)),
        (NB2, R1K, "16:9", (1376, 768)),
        (NB2, R2K, "9:16", (1536, 2752)),
        (NB2, R4K, "8:1", (12288, 1536)),
        (NB2, R4K, "1:4", (2048, 8192)),
        (PRO, R2K, "4:5", (1856, 2304)),
        (NB21, R4K, "21:9", (6336, 2688)),
        (NB1, R1K, "16:9", (1344, 768)),
        (NB1, R1K, "3:4", (864, 1184)),
        (FLUX, R1K, "9:21", (640, 1536)),
        (FLUX, R512, "16:9", (672, 384)),
    ],
)
def test_sizes_are_those_of_the_vendors_tables(
    model: str, resolution: Resolution, ratio: str, pixels: tuple[int, int]
) -> None:
    assert CATALOG.models[model].pixels[resolution][ratio] == pixels


def test_the_doubtful_size_of_googles_table_is_accepted_on_delivery() -> None:
    assert CATALOG.models[NB2].accepted_pixels == {R512: {"21:9": (792, 168)}}
    assert CATALOG.models[PRO].accepted_pixels == {}


@pytest.mark.parametrize(
    ("provider", "model", "prices"),
    [
        ("gemini", NB2, {"512": "0.0448", "1K": "0.0672", "2K": "0.1008", "4K": "0.1512"}),
        ("vertex", NB2, {"512": "0.0448", "1K": "0.0672", "2K": "0.1008", "4K": "0.1512"}),
        ("fal", NB2, {"512": "0.06", "1K": "0.08", "2K": "0.12", "4K": "0.16"}),
        ("replicate", NB2, {"1K": "0.067", "2K": "0.101", "4K": "0.151"}),
        ("gemini", PRO, {"1K": "0.1344", "2K": "0.1344", "4K": "0.24"}),
        ("vertex", PRO, {"1K": "0.1344", "2K": "0.1344", "4K": "0.24"}),
        ("fal", PRO, {"1K": "0.15", "2K": "0.15", "4K": "0.30"}),
        ("replicate", PRO, {"1K": "0.15", "2K": "0.15", "4K": "0.30"}),
        ("gemini", NB1, {"1K": "0.0387"}),
        ("vertex", NB1, {"1K": "0.0387"}),
        ("fal", NB1, {"1K": "0.039"}),
        ("replicate", NB1, {"1K": "0.039"}),
        ("gemini", NB21, {"1K": "0.0336", "2K": "0.0504", "4K": "0.113"}),
        ("vertex", NB21, {"1K": "0.0336", "2K": "0.0504", "4K": "0.113"}),
        ("fal", FLUX, {"512": "0.003", "1K": "0.003"}),
        ("replicate", FLUX, {"512": "0.003", "1K": "0.003"}),
    ],
)
def test_prices_are_those_of_the_vendors_lists(provider: str, model: str, prices: dict[str, str]) -> None:
    line = CATALOG.prices.line(provider, model, Operation.GENERATE, TODAY)
    assert line is not None
    assert line.images == {Resolution(tier): Decimal(amount) for tier, amount in prices.items()}


def test_googles_prices_per_image_are_its_tokens_times_its_rate() -> None:
    tokens = {
        NB2: {R512: 747, R1K: 1120, R2K: 1680, R4K: 2520},
        PRO: {R1K: 1120, R2K: 1120, R4K: 2000},
        NB1: {R1K: 1290},
        NB21: {R1K: 1120, R2K: 1680},
    }
    for line in CATALOG.prices.lines:
        for resolution, count in tokens[line.model].items() if line.provider in ("gemini", "vertex") else ():
            exact = count * line.token_rates["image_output"] / 1_000_000
            assert abs(line.images[resolution] - exact) <= Decimal("0.00005"), (line.provider, line.model, resolution)


def test_every_line_names_its_source_and_what_others_report_is_marked() -> None:
    unverified = {(line.provider, line.model) for line in CATALOG.prices.lines if line.confidence == "unverified"}
    assert all(line.source for line in CATALOG.prices.lines)
    assert {("fal", FLUX), ("replicate", FLUX), ("replicate", NB2), ("gemini", NB21)} <= unverified
    assert not {("fal", NB2), ("gemini", NB2)} & unverified


@pytest.mark.parametrize(
    ("provider", "web_search", "thinking", "total"),
    [
        ("gemini", True, None, "0.0812"),
        ("vertex", True, "high", "0.0812"),
        ("fal", True, None, "0.095"),
        ("fal", False, "high", "0.082"),
        ("fal", True, "high", "0.097"),
        ("fal", False, "minimal", "0.08"),
        ("replicate", True, None, "0.067"),
    ],
)
def test_surcharges_are_added_where_the_vendor_asks_for_them(
    provider: str, web_search: bool, thinking: str | None, total: str
) -> None:
    offer = next(offer for offer in CATALOG.offers if (offer.provider, offer.model) == (provider, NB2))
    request = ImageRequest(model=NB2, prompt="a fox", web_search=web_search, thinking=thinking)
    quote = CATALOG.prices.quote(offer, request, on=TODAY)
    assert quote is not None
    assert quote.total == Decimal(total)


def test_capabilities_are_those_of_each_vendors_version() -> None:
    nb2 = {offer.provider: offer.capability for offer in CATALOG.offers if offer.model == NB2}
    assert not nb2["gemini"].output_formats
    assert nb2["gemini"].native_format is OutputFormat.JPEG
    assert nb2["vertex"].output_formats == {OutputFormat.PNG, OutputFormat.JPEG}
    assert nb2["fal"].output_formats == {OutputFormat.PNG, OutputFormat.JPEG, OutputFormat.WEBP}
    assert nb2["fal"].min_prompt_chars == 3
    assert R512 not in nb2["replicate"].resolutions
    assert [provider for provider, capability in nb2.items() if capability.seed] == ["gemini", "vertex", "fal"]
    assert [provider for provider, capability in nb2.items() if capability.thinking] == ["gemini", "vertex", "fal"]
    assert all(capability.web_search for capability in nb2.values())
    assert not any(offer.capability.mask for offer in CATALOG.offers)


def test_the_first_nano_banana_comes_as_png_from_the_gemini_api() -> None:
    offer = next(offer for offer in CATALOG.offers if offer.key == f"gemini/{NB1}")
    assert (set(offer.capability.output_formats), offer.capability.native_format) == (set(), OutputFormat.PNG)
    assert offer.capability.max_input_images == 3


def test_flux_makes_images_from_text_only() -> None:
    assert {offer.capability.operations for offer in CATALOG.offers if offer.model == FLUX} == {
        frozenset({Operation.GENERATE})
    }


def test_nothing_is_offered_through_a_schema_nobody_named() -> None:
    named = {(offer.provider, offer.provider_model.schema) for offer in CATALOG.offers}
    assert named == {(provider, schema) for provider, schemas in SCHEMAS.items() for schema in schemas}


def test_the_shipped_policy_is_the_documented_default() -> None:
    assert CATALOG.policy == Policy()


def test_expectations_are_the_reported_figures_and_marked_assumptions() -> None:
    expected = {offer.key: (offer.expected_seconds, offer.expected_success) for offer in CATALOG.offers}
    assert {key: figures for key, figures in expected.items() if figures != (None, None)} == {
        f"gemini/{NB2}": (13.3, 0.916),
        f"vertex/{NB2}": (29.9, 0.767),
        f"fal/{NB2}": (12.0, 0.96),
        f"replicate/{NB2}": (18.0, 0.94),
        f"fal/{FLUX}": (2.0, None),
        f"replicate/{FLUX}": (2.0, None),
    }


def test_no_quality_is_shipped_so_that_the_callers_order_counts() -> None:
    assert [model.quality for model in CATALOG.models.values()] == [None] * 5
