"""The body of a generation request: what is accepted, what warns, what is refused and by which name."""

from __future__ import annotations

import json

import pytest

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.schema import GenerationBody, parse_generation
from providers.spec.request import OutputFormat, Resolution


def parsed(**fields: object) -> GenerationBody:
    return parse_generation(json.dumps({"prompt": "a red fox", **fields}).encode(), max_timeout_s=600.0)


def refused(**fields: object) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        parsed(**fields)
    assert caught.value.status == 400
    assert caught.value.param
    return caught.value


def test_a_prompt_alone_is_enough() -> None:
    assert parsed() == GenerationBody("a red fox")


def test_every_field_may_be_null_or_empty() -> None:
    names = (
        "model", "n", "size", "quality", "style", "user", "background", "output_format", "output_compression", "stream",
        "partial_images", "response_format", "moderation", "image", "images", "mask", "timeout", "seed",
        "negative_prompt", "web_search", "thinking_level", "image_config", "aspect_ratio", "resolution",
        "safety_identifier",
    )  # fmt: skip
    assert parsed(**dict.fromkeys(names)) == GenerationBody("a red fox")
    assert parsed(**dict.fromkeys(names, "")) == GenerationBody("a red fox")


def test_a_missing_or_null_prompt_is_missing() -> None:
    for body in (b"{}", b'{"prompt": null}'):
        with pytest.raises(ParameterError) as caught:
            parse_generation(body, max_timeout_s=600.0)
        assert (caught.value.param, caught.value.code) == ("prompt", "missing_required_parameter")


@pytest.mark.parametrize("prompt", ["", "x" * 32_001, 7, ["a fox"], {"text": "a fox"}, True])
def test_a_prompt_is_text_of_1_to_32000_characters(prompt: object) -> None:
    error = refused(prompt=prompt)
    assert (error.param, error.code) == ("prompt", "invalid_value")


@pytest.mark.parametrize("prompt", ["x", " ", "🦊" * 32_000, "line\nbreak", "  spaces stay  "])
def test_a_prompt_is_kept_to_the_letter(prompt: str) -> None:
    assert parsed(prompt=prompt).prompt == prompt


def test_half_a_surrogate_pair_in_the_prompt_is_refused() -> None:
    assert refused(prompt="\ud83d").param == "prompt"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2), ("n", "10"), ("stream", True), ("stream", "true"), ("partial_images", 1), ("response_format", "url"),
        ("background", "transparent"), ("image", "https://example.com/a.png"), ("images", [{"image_url": "data:"}]),
        ("image_url", "x"), ("input_references", [{}]), ("mask", {"image_url": "x"}), ("markup", "x"),
        ("output_format", "gif"), ("output_format", "svg"),
    ],
)  # fmt: skip
def test_what_is_not_built_or_not_deliverable_is_refused_by_name(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.param, error.code) == (field, "unsupported_value")
    assert field in error.message or field.rstrip("s") in error.message.lower() or "streaming" in error.message.lower()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 0), ("n", 11), ("n", "two"), ("model", 7), ("size", "huge"), ("background", "pink"),
        ("output_format", "tga"), ("output_format", 1), ("output_compression", 101), ("response_format", "hex"),
        ("partial_images", 4), ("timeout", 0), ("timeout", 601), ("timeout", "soon"), ("seed", 2**31), ("seed", -2),
        ("seed", "x"), ("web_search", "perhaps"), ("thinking_level", "extreme"), ("thinking", {}),
        ("aspect_ratio", "wide"), ("image_config", 5), ("image_config", "[1]"), ("image_config", "{"),
        ("negative_prompt", 5), ("stream", "maybe"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.param, error.code) in {(field, "invalid_value"), (field, "invalid_json")}


def test_the_output_format_refusal_lists_the_right_ones() -> None:
    assert "png, jpeg, webp" in refused(output_format="gif").message


@pytest.mark.parametrize(
    ("written", "read"),
    [("png", "png"), ("PNG", "png"), ("jpg", "jpeg"), ("jpeg", "jpeg"), ("image/webp", "webp")],
)
@pytest.mark.parametrize("field", ["output_format", "outputFormat"])
def test_an_output_format_is_read_in_its_usual_spellings(field: str, written: str, read: str) -> None:
    assert parsed(**{field: written}).output_format is OutputFormat(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 1), ("n", "1"), ("stream", False), ("partial_images", 0), ("response_format", "b64_json"),
        ("background", "opaque"), ("background", "auto"), ("quality", "auto"), ("style", "vivid"), ("user", "u-1"),
        ("safety_identifier", "s"), ("moderation", "low"), ("images", []), ("extra_headers", {"authorization": "x"}),
        ("seed", -1), ("size", "auto"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_accepted_in_silence(field: str, value: object) -> None:
    assert parsed(**{field: value}) == GenerationBody("a red fox")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quality", "hd"), ("quality", "standard"), ("quality", "max"), ("quality", "superb"),
        ("output_compression", 80), ("output_compression", "0"), ("negative_prompt", "dogs"),
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


def test_unknown_fields_are_kept_as_extras() -> None:
    body = parsed(steps=30, loras=[{"path": "x"}], width=512, extra_headers={"x": "secret"}, unknown=None)
    assert dict(body.extras) == {"steps": 30, "loras": [{"path": "x"}], "width": 512}
    assert "loras" not in repr(body)
    assert "fox" not in repr(body)


def test_an_extra_body_is_unpacked() -> None:
    body = parsed(size="auto", extra_body={"seed": 5, "size": "2K"})
    assert body.seed == 5
    assert body.sizes.size is not None
    assert dict(body.extras) == {}
