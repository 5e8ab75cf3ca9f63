"""Whatever is said about size: what is ordered is something the model has, and saying that orders it again."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from app.catalog.models import PublicModel
from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.exact import MAX_EXACT_AREA, covering_tier
from app.doors.openai_images.sizes import Settled, SizeWishes, settle
from app.doors.openai_images.spellings import Spelling, spelling
from app.main import load
from app.settings import Settings
from providers.spec.request import Resolution

MODELS = tuple(load(Settings(_env_file=None)).models.values())

models = st.sampled_from(MODELS)
edges = st.integers(1, 17_000)
texts = st.one_of(
    st.sampled_from(
        ["auto", "", "1:1", "16:9", "9:16", "3:2", "1.91:1", "21/9", "2K", "512px", "4 k", "1024", "0.5K", "1x1", "7:1"]
    ),
    st.builds("{}x{}".format, edges, edges),
    st.builds("{} × {}px".format, edges, edges),
    st.builds("{}:{}".format, st.integers(0, 50), st.integers(0, 50)),
)
values: st.SearchStrategy[Any] = texts | st.integers(0, 5000) | st.fixed_dictionaries({"width": edges, "height": edges})
tiers = st.none() | st.sampled_from(list(Resolution))
pixels = st.none() | st.tuples(edges, edges)


def said(param: str, value: Any) -> Spelling | None:
    try:
        return spelling(param, value)
    except ParameterError:
        assume(False)
        raise


@st.composite
def wishes(draw: st.DrawFn) -> SizeWishes:
    extras = draw(
        st.lists(st.sampled_from(["aspect_ratio", "resolution", "image_config.imageSize"]), max_size=2, unique=True)
    )
    spelt = [said(param, draw(values)) for param in extras]
    return SizeWishes(said("size", draw(values)), tuple(each for each in spelt if each is not None))


def settled(model: PublicModel, wished: SizeWishes, tier: Resolution | None, **more: Any) -> Settled:
    try:
        return settle(model, wished, tier, **more)
    except ParameterError:
        assume(False)
        raise


def has(model: PublicModel, result: Settled) -> bool:
    ratio = result.aspect_ratio
    fitting = ratio is None or ratio in model.aspect_ratios
    paints = model.pixels.get(result.resolution, {}).get(ratio) if ratio else None
    return fitting and result.resolution in model.resolutions and result.pixels == paints


@given(models, wishes(), tiers, st.booleans(), pixels)
def test_what_is_ordered_is_something_the_model_has(
    model: PublicModel, wished: SizeWishes, tier: Resolution | None, exact: bool, own: tuple[int, int] | None
) -> None:
    result = settled(model, wished, tier, exact=exact, own=own)
    assert has(model, result)
    if result.exact_pixels is not None:
        spelt = [each.pixels for each in (wished.size, *wished.extras) if each is not None]
        assert result.exact_pixels in spelt
        assert not exact or result.exact_pixels[0] * result.exact_pixels[1] <= MAX_EXACT_AREA


@given(models, wishes(), tiers)
def test_what_was_ordered_orders_itself_without_a_warning(
    model: PublicModel, wished: SizeWishes, tier: Resolution | None
) -> None:
    first = settled(model, wished, tier)
    demanded = [spelling("resolution", first.resolution.value)]
    demanded += [spelling("aspect_ratio", first.aspect_ratio)] if first.aspect_ratio else []
    again = settle(model, SizeWishes(extras=tuple(each for each in demanded if each is not None)))
    assert (again.aspect_ratio, again.resolution, again.pixels, again.warnings) == (
        first.aspect_ratio, first.resolution, first.pixels, (),
    )  # fmt: skip


def test_the_pixels_a_model_paints_order_just_these() -> None:
    for model in MODELS:
        for tier, ratio in itertools.product(model.resolutions, model.aspect_ratios):
            painted = model.pixels.get(tier, {}).get(ratio)
            if painted is None:
                continue
            result = settle(model, SizeWishes(spelling("size", f"{painted[0]}x{painted[1]}")))
            assert (result.pixels, result.warnings) == (painted, ())


@given(models, wishes(), tiers)
def test_a_tier_that_is_demanded_is_the_tier_that_is_ordered(
    model: PublicModel, wished: SizeWishes, tier: Resolution | None
) -> None:
    result = settled(model, wished, tier)
    named = [extra.tier for extra in wished.extras if extra.tier is not None]
    if named:
        assert result.resolution == named[0]
    elif tier is not None and not any(extra.pixels for extra in wished.extras):
        assert result.resolution == tier


@given(models, st.data(), edges, edges)
def test_the_tier_for_exact_pixels_is_the_smallest_that_covers_and_grows_with_them(
    model: PublicModel, data: st.DataObject, width: int, height: int
) -> None:
    ratio = data.draw(st.sampled_from(model.aspect_ratios))
    smaller, larger = covering_tier(model, ratio, (width, height)), covering_tier(model, ratio, (width * 2, height * 2))
    order = list(model.resolutions)
    assert order.index(smaller) <= order.index(larger)


@given(values, st.sampled_from([str.upper, str.lower, lambda text: f"  {text}\t"]))
def test_letter_case_and_blanks_say_nothing(value: Any, changed: Any) -> None:
    assume(isinstance(value, str))
    first, second = said("size", value), said("size", changed(value))
    assert _meaning(first) == _meaning(second)


def _meaning(found: Spelling | None) -> Any:
    return None if found is None else (found.ratio, found.tier, found.pixels)
