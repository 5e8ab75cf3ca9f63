"""The official OpenAI client in front of the gateway: pictures, sizes, prices, errors as its classes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

from app.catalog.catalog import Catalog
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import checked

ROOT = Path(__file__).resolve().parents[2]
MODELS = [model["name"] for model in tomllib.loads((ROOT / "config/models.toml").read_text())["model"]]
FOUR = ("gemini", "vertex", "fal", "replicate")


@pytest.fixture
def client(start: StartGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=start() + "/v1", api_key="unused", max_retries=0) as made:
        yield made


def generate(client: openai.OpenAI, **fields: Any) -> dict[str, Any]:
    extra = {
        key: fields.pop(key)
        for key in tuple(fields)
        if key in {"aspect_ratio", "resolution", "timeout", "value_of_time"}
    }
    answer = client.images.generate(prompt=fields.pop("prompt", "a red fox in the snow"), extra_body=extra, **fields)
    dumped: dict[str, Any] = answer.model_dump()
    return dumped


def price(provider: str, resolution: str, model: str = NANO_BANANA_2) -> Decimal:
    """Read from the price file itself, not through the code under test."""
    document = tomllib.loads((ROOT / f"config/prices/{provider}.toml").read_text())
    (entry,) = [line for line in document["price"] if line["model"] == model and "generate" in line["operations"]]
    return Decimal(entry["images"][resolution])


def test_each_provider_pinned_makes_its_own_picture_at_its_own_price(client: openai.OpenAI, vendors: Vendors) -> None:
    seen = set()
    for provider in FOUR:
        answer = generate(client, model=f"{provider}/{NANO_BANANA_2}", size="1536x1024")
        picture = checked(answer)
        assert picture.size == (1264, 848)
        metadata = answer["metadata"]
        assert metadata["provider"] == provider
        assert metadata["model"] == NANO_BANANA_2
        assert Decimal(metadata["cost_usd"]) == price(provider, "1K") == vendors.sums(provider)["billed"]
        assert [attempt["outcome"] for attempt in metadata["attempts"]] == ["ok"]
        seen.add(picture.convert("RGB").tobytes())
    assert len(seen) == len(FOUR)


def test_unpinned_the_cheapest_provider_at_this_resolution_serves(client: openai.OpenAI) -> None:
    for resolution, provider in (("1K", "replicate"), ("512", "gemini")):
        answer = generate(client, model=NANO_BANANA_2, resolution=resolution, value_of_time=0)
        assert answer["metadata"]["provider"] == provider


def test_answer_carries_who_and_what_in_headers_too(client: openai.OpenAI) -> None:
    raw = client.images.with_raw_response.generate(model="replicate/nano-banana-2", prompt="a fox")
    assert raw.headers["x-gateway-provider"] == "replicate"
    assert raw.headers["x-gateway-model"] == NANO_BANANA_2
    assert raw.headers["x-gateway-attempts"] == "1"
    assert raw.headers["x-gateway-cost-usd"] == "0.067"
    assert raw.headers["x-gateway-simulated"] == "true"
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["content-type"] == "application/json"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("provider", FOUR)
def test_every_ratio_and_tier_of_nano_banana_2_at_every_provider_that_sells_it(
    client: openai.OpenAI, vendors: Vendors, shipped: Catalog, provider: str
) -> None:
    model = shipped.models[NANO_BANANA_2]
    (offer,) = [each for each in shipped.offers if (each.model, each.provider) == (NANO_BANANA_2, provider)]
    billed = Decimal(0)
    for resolution in sorted(offer.capability.resolutions):
        for ratio in sorted(offer.capability.aspect_ratios):
            answer = generate(
                client, model=f"{provider}/{NANO_BANANA_2}", aspect_ratio=ratio, resolution=resolution.value
            )
            assert checked(answer).size == model.pixels[resolution][ratio], (resolution, ratio)
            assert answer["metadata"]["resolution"] == resolution.value
            assert Decimal(answer["metadata"]["cost_usd"]) == price(provider, resolution.value)
            billed += price(provider, resolution.value)
    assert vendors.sums(provider)["billed"] == billed


@pytest.mark.parametrize("model", MODELS)
def test_every_model_delivers_from_every_provider_that_sells_it(
    client: openai.OpenAI, shipped: Catalog, model: str
) -> None:
    for offer in shipped.offers:
        if offer.model == model:
            answer = generate(client, model=f"{offer.provider}/{model}", aspect_ratio="16:9")
            assert (
                checked(answer).size == shipped.models[model].pixels[shipped.models[model].default_resolution]["16:9"]
            )
            assert Decimal(answer["metadata"]["cost_usd"]) == price(offer.provider, "1K", model)


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_a_format_that_is_asked_for_is_delivered_whoever_serves(client: openai.OpenAI, output_format: Any) -> None:
    for provider in FOUR:
        answer = generate(client, model=f"{provider}/{NANO_BANANA_2}", output_format=output_format)
        assert checked(answer).format == output_format.upper()


def test_retired_openai_names_are_served_by_the_default_model_with_a_warning(client: openai.OpenAI) -> None:
    named = {"model": "dall-e-3", "size": "1792x1024", "quality": "hd", "style": "vivid", "user": "someone"}
    answer = generate(client, response_format="b64_json", **named)
    assert checked(answer).size == (1376, 768)
    assert answer["metadata"]["model"] == NANO_BANANA_2
    assert {"model", "size"} <= {warning["parameter"] for warning in answer["metadata"]["warnings"]}


def test_suffix_names_the_tier(client: openai.OpenAI) -> None:
    assert checked(generate(client, model="gemini-3.1-flash-image-preview-2k", size="1:1")).size == (2048, 2048)


def test_models_are_listed_and_found_even_with_a_slash_in_their_id(client: openai.OpenAI) -> None:
    assert NANO_BANANA_2 in [model.id for model in client.models.list()]
    assert client.models.retrieve("fal/nano-banana-2").id == NANO_BANANA_2
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("nobody/nothing")
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"n": 11}, "n", "invalid_value"),
        ({"response_format": "file"}, "response_format", "invalid_value"),
        ({"background": "transparent"}, "background", "unsupported_value"),
        ({"size": "0x0"}, "size", "invalid_value"),
        ({"output_format": "svg"}, "output_format", "unsupported_value"),
        ({"output_format": "png", "output_compression": 101}, "output_compression", "invalid_value"),
        ({"prompt": ""}, "prompt", None),
        ({"aspect_ratio": "7:1"}, "aspect_ratio", "unsupported_value"),
        ({"resolution": "8K"}, "resolution", None),
        ({"model": "replicate/gemini-3.1-flash-image-preview", "resolution": "512"}, "resolution", "unsupported_value"),
    ],
)
def test_a_bad_value_is_a_400_that_names_it(
    client: openai.OpenAI, vendors: Vendors, fields: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        generate(client, **{"model": NANO_BANANA_2, **fields})
    assert refused.value.param == param
    assert code is None or refused.value.code == code
    assert refused.value.type == "invalid_request_error"
    assert vendors.books() == []


def test_a_stream_that_cannot_be_is_refused_before_it_begins(client: openai.OpenAI, vendors: Vendors) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=NANO_BANANA_2, prompt="a fox", stream=True, response_format="url")
    assert (refused.value.param, refused.value.code) == ("response_format", "unsupported_value")
    assert vendors.books() == []


def test_an_unknown_model_is_a_404_that_suggests_names(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        generate(client, model="nano-bananna-2")
    assert missing.value.code == "model_not_found"
    assert "nano-banana-2" in missing.value.message


def test_an_edit_of_what_is_no_picture_is_refused_with_a_sentence(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(model=NANO_BANANA_2, prompt="bluer", image=b"\x89PNG\r\n\x1a\n")
    assert (refused.value.param, refused.value.code) == ("image", "invalid_value")
    assert "Input image 1" in refused.value.message
