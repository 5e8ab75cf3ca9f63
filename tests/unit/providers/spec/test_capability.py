"""What an offer can do: why not, what it would ignore, and the request as it is to be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.blobs import MemoryBlob
from providers.spec.capability import Capability
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution, Safety

PLAIN = Capability(
    operations=frozenset(Operation),
    resolutions=frozenset(Resolution),
    aspect_ratios=frozenset({"1:1", "3:2"}),
    output_formats=frozenset({OutputFormat.PNG, OutputFormat.JPEG}),
    native_format=OutputFormat.PNG,
    max_input_images=2,
)
REQUEST = ImageRequest("m", "a fox")
PICTURE = MemoryBlob(b"picture", "image/png")
EVERYTHING = replace(
    REQUEST, seed=1, safety=Safety.STRICT, system_prompt="s", negative_prompt="n", partial_images=2, n=4
)


def objected(**fields: object) -> str | None:
    objection = PLAIN.objection(replace(REQUEST, **fields))  # type: ignore[arg-type]
    return None if objection is None else objection.parameter


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"aspect_ratio": "16:9"}, "aspect_ratio"), ({"transparent": True}, "background"),
        ({"web_search": True}, "web_search"), ({"image_search": True}, "image_search"),
        ({"thinking": "high"}, "thinking_level"), ({"images": (PICTURE,) * 3}, "image"),
        ({"images": (PICTURE,) * 2, "mask": PICTURE}, "image"),
    ],
)  # fmt: skip
def test_a_demand_it_cannot_meet_is_an_objection(fields: dict[str, object], parameter: str) -> None:
    assert objected(**fields) == parameter


def test_wishes_and_what_the_gateway_does_itself_are_none() -> None:
    assert PLAIN.objection(replace(EVERYTHING, output_format=OutputFormat.AVIF, exact_pixels=(7, 9))) is None
    assert objected(images=(PICTURE,), mask=PICTURE) is None


def test_what_it_ignores_is_named_and_dropped() -> None:
    assert PLAIN.ignored(EVERYTHING) == ("seed", "safety", "system_prompt", "negative_prompt")
    assert PLAIN.asked(EVERYTHING) == REQUEST


def test_what_it_heeds_is_kept() -> None:
    able = replace(
        PLAIN, seed=True, safety=True, system_prompt=True, negative_prompt=True, partial_images=True, max_images=4
    )
    assert able.ignored(EVERYTHING) == ()
    assert able.asked(EVERYTHING) == EVERYTHING


def test_it_is_asked_for_no_more_images_than_it_makes_at_once() -> None:
    assert replace(PLAIN, max_images=3).asked(replace(REQUEST, n=5)).n == 3
    assert replace(PLAIN, max_images=8).asked(replace(REQUEST, n=5)).n == 5


@pytest.mark.parametrize(
    ("wanted", "formats", "asked"),
    [
        (None, {"png", "jpeg"}, None),
        ("jpeg", {"png", "jpeg"}, "jpeg"),
        ("webp", {"png", "jpeg"}, "png"),
        ("avif", {"jpeg"}, None),
        ("jpeg", set(), None),
    ],
)
def test_a_format_it_has_not_is_made_from_one_without_loss_where_it_has_one(
    wanted: str | None, formats: set[str], asked: str | None
) -> None:
    capability = replace(PLAIN, output_formats=frozenset(map(OutputFormat, formats)))
    request = replace(REQUEST, output_format=None if wanted is None else OutputFormat(wanted))
    assert capability.asked(request).output_format == asked


def test_what_is_worked_on_afterwards_is_asked_for_without_loss() -> None:
    jpeg = replace(REQUEST, output_format=OutputFormat.JPEG)
    assert PLAIN.asked(replace(jpeg, exact_pixels=(10, 10))).output_format is OutputFormat.PNG
    assert PLAIN.asked(replace(jpeg, images=(PICTURE,), mask=PICTURE)).output_format is OutputFormat.PNG
    masking = replace(PLAIN, mask=True)
    assert masking.asked(replace(jpeg, images=(PICTURE,), mask=PICTURE)).output_format is OutputFormat.JPEG


def test_compression_is_asked_of_a_vendor_that_has_it_and_makes_the_format() -> None:
    able = replace(PLAIN, compression=True)
    jpeg = replace(REQUEST, output_format=OutputFormat.JPEG, output_compression=60)
    assert able.asked(jpeg).output_compression == 60
    assert PLAIN.asked(jpeg).output_compression is None
    assert able.asked(replace(jpeg, exact_pixels=(9, 9))).output_compression is None
    assert able.asked(replace(jpeg, output_format=OutputFormat.WEBP)).output_compression is None
    assert able.asked(replace(jpeg, output_format=None)).output_compression is None


def test_an_emulated_mask_is_one_more_input_image() -> None:
    masked = replace(REQUEST, images=(PICTURE,), mask=PICTURE)
    assert (PLAIN.input_images(masked), replace(PLAIN, mask=True).input_images(masked)) == (2, 1)
