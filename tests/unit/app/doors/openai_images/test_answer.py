"""The success body in pieces, its metadata, and the headers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from app.doors.openai_images.answer import amount, headers_of, metadata_of, success_parts
from app.media.verify import Delivered
from providers.blobs import Encoded, MemoryBlob
from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.errors import Fault, Spend
from providers.spec.request import Operation, OutputFormat, Resolution
from providers.spec.result import Usage, Warning
from routing.attempt import Attempt
from routing.offers import Offer
from tests.base64_text import joined


def attempt(provider: str, cost: str, fault: Fault | None = None, spend: Spend = Spend.CHARGED) -> Attempt:
    offer = Offer(
        provider=provider,
        model="gemini-3.1-flash-image-preview",
        provider_model=ProviderModel(f"{provider}/nb2", schema="any", edit_id=f"{provider}/nb2/edit"),
        capability=Capability(
            operations=frozenset(Operation),
            resolutions=frozenset(Resolution),
            aspect_ratios=frozenset(),
            output_formats=frozenset(),
            native_format=OutputFormat.PNG,
        ),
    )
    return Attempt(offer, started_at=1.0, seconds=1.23456, spend=spend, cost=Decimal(cost), fault=fault)


TRIED = (
    attempt("gemini", "0", Fault.OVERLOADED, Spend.NONE),
    attempt("replicate", "0.0670", Fault.BAD_REPLY),
    attempt("fal", "0.0800"),
)


def test_a_file_is_encoded_only_when_it_is_sent() -> None:
    image = bytes(range(256)) * 4096
    parts = success_parts([delivered(image)], {}, created=0)
    assert sum(len(part) for part in parts if not isinstance(part, Encoded)) < 1000
    assert json.loads(joined(parts))["data"] == [{"b64_json": base64.b64encode(image).decode()}]


def test_the_parts_join_to_one_json_document() -> None:
    image = b"\x89PNG not really" * 100
    delivered = Delivered(MemoryBlob(image), OutputFormat.PNG, 1264, 848, len(image))
    usage = Usage(
        input_tokens=10, output_tokens=1200, input_text_tokens=8, input_image_tokens=2, output_image_tokens=1120
    )
    parts = success_parts([delivered], {"model": "m"}, created=1_800_000_000, usage=usage)
    document = json.loads(joined(parts))
    assert document == {
        "created": 1_800_000_000,
        "data": [{"b64_json": base64.b64encode(image).decode()}],
        "background": "opaque",
        "output_format": "png",
        "size": "1264x848",
        "usage": {
            "total_tokens": 1210,
            "input_tokens": 10,
            "output_tokens": 1200,
            "input_tokens_details": {"text_tokens": 8, "image_tokens": 2},
            "output_tokens_details": {"text_tokens": 80, "image_tokens": 1120},
        },
        "metadata": {"model": "m"},
    }


def test_usage_is_left_out_when_the_vendor_counted_nothing() -> None:
    delivered = Delivered(MemoryBlob(b"x"), OutputFormat.JPEG, 1, 1, 1)
    assert "usage" not in json.loads(joined(success_parts([delivered], {}, created=0)))


def test_the_images_base64_is_handed_through_without_a_copy() -> None:
    class Held:
        media_type = "image/png"
        length = 3
        ends = None
        text = b"YWJj"

        def read(self) -> bytes:
            raise AssertionError("the answer must not decode the image")

        def pieces(self) -> Iterator[bytes]:
            yield self.read()

        def base64(self) -> bytes:
            return self.text

    parts = success_parts([Delivered(Held(), OutputFormat.PNG, 1, 1, 3)], {}, created=0)
    assert any(part is Held.text for part in parts)


def delivered(data: bytes = b"x") -> Delivered:
    return Delivered(MemoryBlob(data), OutputFormat.PNG, 2, 1, len(data))


def test_several_images_stand_in_their_order() -> None:
    document = json.loads(joined(success_parts([delivered(b"one"), delivered(b"two")], {}, created=0)))
    assert [base64.b64decode(item["b64_json"]) for item in document["data"]] == [b"one", b"two"]


def test_urls_take_the_place_of_base64() -> None:
    urls = ['https://x/?a=1&b="2"', "https://x/2"]
    document = json.loads(joined(success_parts([delivered(), delivered()], {}, created=0, urls=urls)))
    assert document["data"] == [{"url": urls[0]}, {"url": urls[1]}]


def test_a_transparent_background_is_told() -> None:
    assert json.loads(joined(success_parts([delivered()], {}, created=0, transparent=True)))["background"] == (
        "transparent"
    )


def test_headers_name_every_provider_that_delivered_once() -> None:
    winners = (TRIED[2], attempt("gemini", "0.05"), TRIED[2])
    assert headers_of(winners, winners=winners)["x-gateway-provider"] == "fal, gemini"


UNTOLD = {"reason": "", "probe": False, "hedge": False}


def test_metadata_tells_the_whole_story() -> None:
    told = [Warning("size", "is delivered as ...")]
    won = (Delivered(MemoryBlob(b"abc"), OutputFormat.PNG, 1264, 848, 3), TRIED[2])
    metadata = metadata_of(
        TRIED,
        resolution=Resolution.R1K,
        warnings=told,
        policy="balanced",
        winners=TRIED[2:],
        cost_usd=amount(TRIED[2].cost),
        images=[won],
    )
    assert metadata == {
        "model": "gemini-3.1-flash-image-preview",
        "provider": "fal",
        "provider_model": "fal/nb2",
        "resolution": "1K",
        "policy": "balanced",
        "cost_usd": "0.08",
        "images": [{"provider": "fal", "size": "1264x848", "output_format": "png", "bytes": 3}],
        "attempts": [
            {"provider": "gemini", "provider_model": "gemini/nb2", "outcome": "overloaded", "seconds": 1.235,
             "spend": "none", "cost_usd": "0", **UNTOLD},
            {"provider": "replicate", "provider_model": "replicate/nb2", "outcome": "bad_reply", "seconds": 1.235,
             "spend": "charged", "cost_usd": "0.067", **UNTOLD},
            {"provider": "fal", "provider_model": "fal/nb2", "outcome": "ok", "seconds": 1.235,
             "spend": "charged", "cost_usd": "0.08", **UNTOLD},
        ],
        "warnings": [{"parameter": "size", "message": "is delivered as ..."}],
    }  # fmt: skip


def test_metadata_of_an_error_names_no_provider_and_charges_nothing() -> None:
    metadata = metadata_of(TRIED[:2], resolution=Resolution.R4K)
    assert (metadata["provider"], metadata["provider_model"], metadata["cost_usd"]) == (None, None, "0")
    assert metadata["model"] == "gemini-3.1-flash-image-preview"
    assert metadata_of((), resolution=None, model="m")["model"] == "m"


def test_an_edit_names_the_vendors_id_for_edits() -> None:
    metadata = metadata_of(TRIED[2:], resolution=Resolution.R1K, operation=Operation.EDIT, winners=TRIED[2:])
    assert metadata["provider_model"] == "fal/nb2/edit"


def test_headers_say_who_served_it() -> None:
    assert headers_of(TRIED, simulated=True, winners=TRIED[2:], cost_usd=amount(TRIED[2].cost)) == {
        "x-gateway-provider": "fal",
        "x-gateway-model": "gemini-3.1-flash-image-preview",
        "x-gateway-attempts": "3",
        "x-gateway-cost-usd": "0.08",
        "x-gateway-simulated": "true",
    }


def test_headers_of_an_error_name_no_provider() -> None:
    assert headers_of(()) == {"x-gateway-attempts": "0", "x-gateway-cost-usd": "0"}
    assert "x-gateway-provider" not in headers_of(TRIED[:2])


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        ("0.0672", "0.0672"), ("0.0670", "0.067"), ("0", "0"), ("0.000", "0"), ("0E+2", "0"), ("-0.0", "0"),
        ("1E-7", "0.0000001"), ("1E+2", "100"), ("100", "100"), ("10.00", "10"),
    ],
)  # fmt: skip
def test_amounts_are_plain_decimals(usd: str, text: str) -> None:
    assert amount(Decimal(usd)) == text
