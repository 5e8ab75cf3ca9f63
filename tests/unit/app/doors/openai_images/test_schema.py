"""The body of a request for images: what is accepted, what warns, what is refused and by which name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.output import Output, ResponseFormat
from app.doors.openai_images.schema import ImagesBody, parse_body
from providers.blobs import MemoryBlob
from providers.spec.request import OutputFormat, Resolution, Safety

PIXEL = MemoryBlob(b"not looked at here")


def parsed(*, editing: Any = False, **fields: Any) -> ImagesBody:
    return parse_body({"prompt": "a red fox", **fields}, editing=editing, max_timeout_s=600.0)


def refused(*, editing: Any = False, **fields: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        parsed(editing=editing, **fields)
    assert caught.value.status == 400
    assert caught.value.param
    return caught.value


def test_a_prompt_alone_is_enough() -> None:
    assert parsed() == ImagesBody("a red fox")


def test_every_field_may_be_null_or_empty() -> None:
    names = (
        "model", "n", "size", "quality", "style", "user", "background", "output_format", "output_compression", "stream",
        "partial_images", "response_format", "moderation", "image", "images", "mask", "timeout", "seed",
        "negative_prompt", "web_search", "thinking_level", "image_config", "aspect_ratio", "resolution",
        "safety_identifier",
    )  # fmt: skip
    assert parsed(**dict.fromkeys(names)) == ImagesBody("a red fox")
    assert parsed(**dict.fromkeys(names, "")) == ImagesBody("a red fox")


def test_a_missing_or_null_prompt_is_missing() -> None:
    for body in ({}, {"prompt": None}):
        with pytest.raises(ParameterError) as caught:
            parse_body(body, editing=False, max_timeout_s=600.0)
        assert (caught.value.param, caught.value.code) == ("prompt", "missing_required_parameter")


@pytest.mark.parametrize("prompt", ["", "x" * 32_001, 7, ["a fox"], {"text": "a fox"}, True])
def test_a_prompt_is_text_of_1_to_32000_characters(prompt: object) -> None:
    error = refused(prompt=prompt)
    assert (error.param, error.code) == ("prompt", "invalid_value")


@pytest.mark.parametrize("prompt", ["x", " ", "🦊" * 32_000, "line\nbreak", "  spaces stay  "])
def test_a_prompt_is_kept_to_the_letter(prompt: str) -> None:
    assert parsed(prompt=prompt).prompt == prompt


@pytest.mark.parametrize(("field", "value"), [("markup", "x"), ("output_format", "svg")])
def test_what_nobody_delivers_is_refused_by_name(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.param, error.code) == (field, "unsupported_value")
    assert field in error.message


def test_a_stream_carries_no_urls() -> None:
    assert refused(stream=True, response_format="url").param == "response_format"


def test_an_edit_needs_an_image_and_a_mask_does_too() -> None:
    assert (refused(editing=True).param, refused(editing=True).code) == ("image", "missing_required_parameter")
    assert refused(mask=PIXEL).param == "mask"


def test_input_images_are_taken_at_both_doors() -> None:
    for editing in (False, True):
        body = parsed(editing=editing, image=[PIXEL, "https://example.com/b.png"], mask=PIXEL)
        assert [(source.param, source.content) for source in body.images] == [
            ("image[0]", PIXEL),
            ("image[1]", "https://example.com/b.png"),
        ]
        assert body.mask is not None
        assert (body.mask.param, body.mask.content) == ("mask", PIXEL)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 0), ("n", 11), ("n", "two"), ("model", 7), ("size", "huge"), ("background", "pink"),
        ("output_format", "tga"), ("output_format", 1), ("output_compression", 101), ("response_format", "hex"),
        ("partial_images", 4), ("timeout", 0), ("timeout", 601), ("timeout", "soon"), ("seed", 2**31), ("seed", -2),
        ("seed", "x"), ("web_search", "perhaps"), ("thinking_level", "extreme"), ("thinking", {}),
        ("aspect_ratio", "wide"), ("image_config", 5), ("image_config", "[1]"), ("image_config", "{"),
        ("negative_prompt", 5), ("stream", "maybe"), ("safety", "none"), ("moderation", "high"), ("resize", "fit"),
        ("image_search", "perhaps"), ("system_prompt", "x" * 32_001), ("provider_options", []),
        ("provider_options", "[]"), ("n", True),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.param, error.code) in {(field, "invalid_value"), (field, "invalid_json")}


def test_the_output_format_refusal_lists_the_right_ones() -> None:
    assert "png, jpeg, webp, avif, gif" in refused(output_format="tga").message


@pytest.mark.parametrize(
    ("written", "read"),
    [("png", "png"), ("PNG", "png"), ("jpg", "jpeg"), ("image/webp", "webp"), ("avif", "avif"), ("GIF", "gif")],
)
@pytest.mark.parametrize("field", ["output_format", "outputFormat"])
def test_an_output_format_is_read_in_its_usual_spellings(field: str, written: str, read: str) -> None:
    assert parsed(**{field: written}).output.format is OutputFormat(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 1), ("n", "1"), ("stream", False), ("partial_images", 0),
        ("background", "opaque"), ("background", "auto"), ("quality", "auto"), ("user", "u-1"), ("resize", "auto"),
        ("safety_identifier", "s"), ("moderation", "auto"), ("images", []), ("mask", {}),
        ("extra_headers", {"authorization": "x"}), ("seed", -1), ("size", "auto"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_accepted_in_silence(field: str, value: object) -> None:
    assert parsed(**{field: value}) == ImagesBody("a red fox")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quality", "hd"), ("quality", "standard"), ("quality", "max"), ("quality", "superb"),
        ("style", "vivid"), ("input_fidelity", "high"), ("frame_count", 3), ("partial_images", 2), ("steps", 30),
        ("loras", [{"path": "x"}]), ("width", 512),
    ],
)  # fmt: skip
def test_what_has_no_effect_warns_under_its_name(field: str, value: object) -> None:
    assert [warning.parameter for warning in parsed(**{field: value}).warnings] == [field]


def test_our_own_fields_are_read() -> None:
    body = parsed(model=" fal/x ", seed="7", enable_web_search="true", thinking_level="HIGH", timeout="45.5")
    assert (body.model, body.seed, body.web_search, body.thinking, body.timeout_s) == ("fal/x", 7, True, "high", 45.5)


@pytest.mark.parametrize("name", ["web_search", "enable_web_search", "google_search", "webSearch", "googleSearch"])
def test_web_search_has_synonyms(name: str) -> None:
    assert parsed(**{name: True}).web_search
    assert not parsed(**{name: False}).web_search


@pytest.mark.parametrize("name", ["image_config", "imageConfig"])
@pytest.mark.parametrize("as_text", [False, True])
def test_an_image_config_is_read_as_object_and_as_text(name: str, as_text: bool) -> None:
    config = {"aspectRatio": "16:9", "image_size": "2k", "moderation": "low"}
    body = parsed(**{name: json.dumps(config) if as_text else config})
    assert [(said.param, said.text) for said in body.sizes.extras] == [
        (f"{name}.aspectRatio", "16:9"),
        (f"{name}.image_size", "2k"),
    ]
    assert body.sizes.extras[1].tier is Resolution.R2K


def test_a_fault_inside_an_image_config_is_named_with_its_path() -> None:
    assert refused(image_config={"aspect_ratio": "wide"}).param == "image_config.aspect_ratio"


def test_width_and_height_are_a_size_unless_size_is_said() -> None:
    by_edges = parsed(width=1264, height="848").sizes.size
    assert by_edges is not None
    assert by_edges.pixels == (1264, 848)
    both = parsed(width=1, height=1, size="2K").sizes.size
    assert both is not None
    assert both.tier is Resolution.R2K


def test_unknown_fields_are_named_and_not_shown() -> None:
    body = parsed(steps=30, loras=[{"path": "x"}], extra_headers={"x": "secret"}, unknown=None)
    assert [warning.parameter for warning in body.warnings] == ["steps", "loras"]
    assert "provider_options" in body.warnings[0].message
    assert "fox" not in repr(body)


def test_a_body_of_unknown_fields_does_not_fill_the_answer() -> None:
    assert len(parsed(**{f"field{number}": 1 for number in range(500)}).warnings) == 20


def test_what_has_no_effect_is_refused_where_all_parameters_are_required() -> None:
    assert refused(steps=30, provider={"require_parameters": True}).param == "steps"


def test_an_extra_body_is_unpacked() -> None:
    body = parsed(size="auto", extra_body={"seed": 5, "size": "2K"})
    assert body.seed == 5
    assert body.sizes.size is not None
    assert body.warnings == ()


def test_the_answers_shape_is_read() -> None:
    body = parsed(
        n="4", output_format="webp", output_compression="80", response_format="url", background="transparent",
        resize="exact",
    )  # fmt: skip
    assert body.n == 4
    assert body.output == Output(
        OutputFormat.WEBP, 80, transparent=True, response_format=ResponseFormat.URL, exact=True
    )
    watched = parsed(stream="true", partial_images="2").output
    assert (watched.stream, watched.partial_images) == (True, 2)


def test_compression_of_what_is_not_compressed_warns() -> None:
    body = parsed(output_format="png", output_compression=50)
    assert body.output.compression is None
    assert [warning.parameter for warning in body.warnings] == ["output_compression"]


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"safety": "STRICT"}, Safety.STRICT), ({"safety": "relaxed"}, Safety.RELAXED), ({}, None),
        ({"moderation": "low"}, Safety.RELAXED), ({"moderation": "low", "safety": "strict"}, Safety.STRICT),
    ],
)  # fmt: skip
def test_safety_is_a_level_or_what_openai_calls_low_moderation(said: dict[str, object], level: Safety | None) -> None:
    assert parsed(**said).safety is level


def test_instructions_are_read_and_not_shown() -> None:
    body = parsed(system_prompt="be brief", negativePrompt="dogs", image_search="true")
    assert (body.system_prompt, body.negative_prompt, body.image_search) == ("be brief", "dogs", True)
    assert "brief" not in repr(body)
