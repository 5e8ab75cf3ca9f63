"""Translation: a parsed body and the model it means become a request in our terms."""

from __future__ import annotations

import pytest

from app.catalog.models import FoundModel
from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.schema import parse_body
from app.doors.openai_images.translate import Translated, translate
from app.media.inputs import Prepared
from providers.blobs import MemoryBlob
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution, Safety
from routing.wishes import NO_WISHES, RouteWishes
from tests.unit.app.public_models import NANO_BANANA_2, ONE_TIER


def translated(found: FoundModel, **fields: object) -> Translated:
    return translate(parse_body({"prompt": "fox", **fields}, editing=False, max_timeout_s=600.0), found)


def test_a_bare_prompt_takes_the_models_defaults() -> None:
    assert translated(FoundModel(NANO_BANANA_2)) == Translated(ImageRequest(NANO_BANANA_2.name, "fox"), (), None)


def test_every_wish_arrives() -> None:
    result = translated(
        FoundModel(NANO_BANANA_2, provider="fal"), size="2528x1696", output_format="webp", seed=3, web_search=True,
        thinking_level="high", timeout=20, safety="strict", system_prompt="s", negative_prompt="n", n=3,
    )  # fmt: skip
    assert result.request == ImageRequest(
        model=NANO_BANANA_2.name,
        prompt="fox",
        operation=Operation.GENERATE,
        aspect_ratio="3:2",
        resolution=Resolution.R2K,
        pixels=(2528, 1696),
        output_format=OutputFormat.WEBP,
        seed=3,
        web_search=True,
        thinking="high",
        n=3,
        safety=Safety.STRICT,
        system_prompt="s",
        negative_prompt="n",
    )
    assert (result.warnings, result.timeout_s) == ((), 20.0)


def test_the_tier_in_the_models_name_counts() -> None:
    assert translated(FoundModel(NANO_BANANA_2, resolution=Resolution.R4K)).request.resolution is Resolution.R4K


def test_warnings_come_together_in_order() -> None:
    found = FoundModel(NANO_BANANA_2, warning="dall-e-3 is served by another model")
    result = translated(found, size="1024x1536", quality="hd")
    assert [warning.parameter for warning in result.warnings] == ["model", "size", "quality"]


def test_a_demand_the_model_cannot_meet_is_refused() -> None:
    with pytest.raises(ParameterError) as refused:
        translated(FoundModel(ONE_TIER), image_config={"imageSize": "4K"})
    assert (refused.value.param, refused.value.code) == ("image_config.imageSize", "unsupported_value")


def test_the_wishes_and_the_dry_run_arrive() -> None:
    result = translated(FoundModel(NANO_BANANA_2), provider={"ignore": ["fal"]}, policy="cheapest", dry_run=True)
    assert result.wishes == RouteWishes(ignore=frozenset({"fal"}), policy="cheapest")
    assert result.dry_run
    assert translated(FoundModel(NANO_BANANA_2)).wishes is NO_WISHES


def test_the_policy_in_the_models_name_counts_where_the_body_names_none() -> None:
    result = translated(FoundModel(NANO_BANANA_2, policy="cheapest"), provider={"order": ["fal"]})
    assert result.wishes == RouteWishes(order=("fal",), policy="cheapest")
    assert result.warnings == ()


@pytest.mark.parametrize("said", [{"policy": "fastest"}, {"provider": {"sort": "latency"}}])
def test_a_policy_in_the_body_overrules_that_in_the_models_name_with_a_warning(said: dict[str, object]) -> None:
    result = translated(FoundModel(NANO_BANANA_2, policy="cheapest"), **said)
    assert result.wishes.policy == "fastest"
    assert [(warning.parameter, warning.message) for warning in result.warnings] == [
        ("model", "the policy cheapest in the model's name is overruled by fastest")
    ]


def test_a_policy_that_is_said_twice_alike_warns_of_nothing() -> None:
    assert translated(FoundModel(NANO_BANANA_2, policy="fastest"), policy="fastest").warnings == ()


PICTURE = MemoryBlob(b"a picture", "image/png")


def edit(*, mask: bool = False, measures: tuple[int, int] = (1500, 1000), **fields: object) -> Translated:
    body = parse_body({"prompt": "fox", "image": PICTURE, **fields}, editing=True, max_timeout_s=600.0)
    sent = Prepared((PICTURE,), PICTURE if mask else None, measures, ())
    return translate(body, FoundModel(NANO_BANANA_2), sent)


def edited(*, mask: bool = False, measures: tuple[int, int] = (1500, 1000), **fields: object) -> ImageRequest:
    return edit(mask=mask, measures=measures, **fields).request


def test_input_images_make_an_edit_whose_ratio_the_model_takes_from_them() -> None:
    request = edited()
    assert (request.operation, request.images, request.mask) == (Operation.EDIT, (PICTURE,), None)
    assert (request.aspect_ratio, request.pixels, request.exact_pixels) == (None, None, None)


def test_a_masked_edit_keeps_the_pictures_ratio_and_its_very_size() -> None:
    request = edited(mask=True)
    assert (request.aspect_ratio, request.pixels, request.exact_pixels) == ("3:2", (1264, 848), (1500, 1000))


def test_a_masked_edit_of_a_demanded_size_has_that_size() -> None:
    assert edited(mask=True, size="1024x1024").exact_pixels == (1024, 1024)
    assert edited(mask=True, size="1000x700", resize="exact").exact_pixels == (1000, 700)


def test_a_masked_edit_that_names_its_pictures_own_size_keeps_it_at_the_price_of_the_tier() -> None:
    result = edit(mask=True, measures=(1536, 1024), size="1536x1024")
    assert (result.request.resolution, result.request.exact_pixels) == (Resolution.R1K, (1536, 1024))
    assert not [warning for warning in result.warnings if "is delivered as" in warning.message]


def test_an_edit_without_a_mask_is_not_resampled_to_its_pictures_size() -> None:
    assert edited(measures=(1536, 1024), size="1536x1024").exact_pixels is None


@pytest.mark.parametrize(
    ("measures", "fields", "told"),
    [
        ((1264, 848), {}, {}),
        ((900, 600), {}, {}),
        ((3000, 2000), {}, {"resolution": "inside the mask is made as 1264x848 (3:2 at 1K) and enlarged to 3000x2000"}),
        ((9000, 6000), {"resolution": "4K"}, {"resolution": "the most this model makes"}),
        ((900, 600), {"resolution": "2K"}, {"resolution": "the size of your image, 900x600"}),
        ((900, 600), {"size": "16:9"}, {"size": "your image of 900x600 is cropped around its middle to make 1376x768"}),
    ],
)
def test_what_a_masked_picture_loses_is_told(
    measures: tuple[int, int], fields: dict[str, object], told: dict[str, str]
) -> None:
    warnings = {each.parameter: each.message for each in edit(mask=True, measures=measures, **fields).warnings}
    assert warnings.keys() == told.keys()
    assert all(words in warnings[parameter] for parameter, words in told.items())


def test_exact_pixels_beyond_the_tier_are_told_to_be_enlarged() -> None:
    warnings = translated(FoundModel(NANO_BANANA_2), size="3000x2000", resize="exact", resolution="1K").warnings
    assert [(each.parameter, each.message) for each in warnings] == [
        ("resolution", "the image is made as 1264x848 (3:2 at 1K) and enlarged to 3000x2000; resolution 4K is finer")
    ]


def test_exact_pixels_are_met_without_a_warning() -> None:
    result = translated(FoundModel(NANO_BANANA_2), size="1000x700", resize="exact")
    assert (result.request.exact_pixels, result.request.aspect_ratio) == ((1000, 700), "3:2")
    assert result.warnings == ()


@pytest.mark.parametrize("size", ["auto", "2K", "16:9", None])
def test_exact_needs_pixels_to_meet(size: str | None) -> None:
    with pytest.raises(ParameterError) as refused:
        translated(FoundModel(NANO_BANANA_2), size=size, resize="exact")
    assert refused.value.param == "resize"


def test_exact_pixels_are_bounded() -> None:
    with pytest.raises(ParameterError) as refused:
        translated(FoundModel(NANO_BANANA_2), size="8000x8000", resize="exact")
    assert refused.value.param == "size"


def test_a_format_of_the_operators_counts_where_the_caller_names_none() -> None:
    body = parse_body({"prompt": "fox"}, editing=False, max_timeout_s=600.0)
    found = FoundModel(NANO_BANANA_2)
    assert translate(body, found, default_format=OutputFormat.PNG).request.output_format is OutputFormat.PNG
    own = parse_body({"prompt": "fox", "output_format": "gif"}, editing=False, max_timeout_s=600.0)
    assert translate(own, found, default_format=OutputFormat.PNG).request.output_format is OutputFormat.GIF


@pytest.mark.parametrize(
    ("size", "tier"),
    [("500x500", "512"), ("800x600", "1K"), ("1200x900", "1K"), ("1920x1080", "2K"), ("5000x5000", "4K")],
)
def test_exact_pixels_are_made_at_the_smallest_tier_that_need_not_be_enlarged(size: str, tier: str) -> None:
    assert translated(FoundModel(NANO_BANANA_2), size=size, resize="exact").request.resolution == tier


def test_a_tier_that_is_demanded_counts_with_exact_pixels_too() -> None:
    request = translated(FoundModel(NANO_BANANA_2), size="800x600", resize="exact", resolution="512").request
    assert (request.resolution, request.exact_pixels) == (Resolution.R512, (800, 600))


def test_an_avif_image_is_bounded_further() -> None:
    with pytest.raises(ParameterError) as refused:
        edited(mask=True, measures=(8000, 6000), output_format="avif")
    assert refused.value.param == "output_format"
    assert edited(mask=True, measures=(8000, 6000), output_format="jpeg").exact_pixels == (8000, 6000)
