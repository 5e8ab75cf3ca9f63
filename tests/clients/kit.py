"""What every official client must be able to do with the gateway.

Say how its driver is run, subclass OfficialClient, and the tests run.

In ``tests/clients/test_<client>.py``::

    @pytest.fixture(scope="module")
    def driver(node_command, tmp_path_factory): ...yields a Driven...

    class TestNode(OfficialClient): ...

Each test is one call as a user writes it. The images that come back are decoded and held against what the answer says
of them; of those that were uploaded, the simulator tells what reached the vendor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.clients.driven import Driven
from tests.clients.pictures import all_delivered, delivered, differing_share, outside_is_untouched
from tests.clients.uploads import HOLE, MARKS, PAINTED, PHOTO_UPRIGHT, Uploads
from tests.e2e.conftest import NANO_BANANA_2, Vendors

FORMATS = ("png", "jpeg", "webp", "avif", "gif")
SHOWS_ITS_DRAFTS = f"gemini/{NANO_BANANA_2}"
"""A provider that really shows interim images, and the model it does so with."""
EVENT_CLASSES = {
    "image_generation.partial_image": "ImageGenPartialImageEvent",
    "image_generation.completed": "ImageGenCompletedEvent",
    "image_edit.partial_image": "ImageEditPartialImageEvent",
    "image_edit.completed": "ImageEditCompletedEvent",
}
"""The Python client's; one that is told the wrong type makes the wrong class without complaint."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One client in front of one gateway."""

    driver: Driven
    gateway: str
    outputs: Path

    def ask(self, call: str, fields: dict[str, Any], **how: Any) -> dict[str, Any]:
        """One call and what the client made of the answer."""
        named = {key: str(value) if isinstance(value, Path) else value for key, value in how.items()}
        if "pictures" in named:
            named["pictures"] = [str(picture) for picture in named["pictures"]]
        asked = {"model": NANO_BANANA_2, "prompt": "a red fox in the snow", **fields}
        return self.driver.ask(call=call, fields=asked, base_url=self.gateway, outputs=str(self.outputs), **named)

    def generate(self, *, asynchronous: bool = False, **fields: Any) -> dict[str, Any]:
        """``images.generate`` with these fields."""
        return self.ask("generate", fields, asynchronous=asynchronous)

    def edit(
        self,
        *pictures: Path,
        call: str = "edit",
        given_as: str = "open",
        in_list: bool = False,
        mask: Path | None = None,
        asynchronous: bool = False,
        **fields: Any,
    ) -> dict[str, Any]:
        """``images.edit`` with these pictures and fields, or another ``call`` that comes to the same."""
        return self.ask(
            call, fields, pictures=pictures, given_as=given_as, in_list=in_list, mask=mask, asynchronous=asynchronous
        )


def arrived(vendors: Vendors) -> list[tuple[int, int]]:
    """Sizes of the pictures that reached vendors, in order; none of them may have EXIF data left."""
    received = httpx.get(f"{vendors.url}/_control/inputs", timeout=30).raise_for_status().json()
    assert not any(each["exif"] for each in received)
    return [(each["width"], each["height"]) for each in received]


def completed_after_partials(answer: dict[str, Any], operation: str) -> tuple[int, list[Image.Image]]:
    """How many partial images a stream had, and the completed ones; every event must be what it says it is."""
    assert answer.get("error") is None, answer["error"]
    events = answer["events"]
    names = [event["type"] for event in events]
    partial, completed = f"{operation}.partial_image", f"{operation}.completed"
    finished = names.count(completed)
    assert names == [partial] * (len(names) - finished) + [completed] * finished
    assert [event["partial_image_index"] for event in events if event["type"] == partial] == list(
        range(len(names) - finished)
    )
    pictures = []
    for event in events:
        assert event.get("class", EVENT_CLASSES[event["type"]]) == EVENT_CLASSES[event["type"]]
        assert isinstance(event["created_at"], int)
        pictures.append(delivered(event["file"], format=event["output_format"], size=event["size"]))
    return len(names) - finished, pictures[len(names) - finished :]


@pytest.mark.timeout(300)  # the first test of a session may have to install its client
class OfficialClient:
    """Tests of one client, whose ``driver`` the test module has as a fixture."""

    @pytest.fixture
    def client(self, driver: Driven, gateway: str, tmp_path: Path) -> Asking:
        outputs = tmp_path / "outputs"
        outputs.mkdir()
        return Asking(driver, gateway, outputs)

    def test_generates_an_image_as_the_answer_describes_it(self, client: Asking) -> None:
        answer = client.generate(size="1536x1024")
        (picture,) = all_delivered(answer)
        assert picture.size == (1264, 848)
        assert answer["images"][0]["url"] is None
        assert isinstance(answer["created"], int)
        assert answer["metadata"]["model"] == NANO_BANANA_2

    def test_four_images_are_four_different_pictures(self, client: Asking, vendors: Vendors) -> None:
        pictures = all_delivered(client.generate(n=4))
        assert len({picture.convert("RGB").tobytes() for picture in pictures}) == 4
        assert sum(vendors.sums(name)["images"] for name in ("gemini", "vertex", "fal", "replicate")) == 4

    @pytest.mark.parametrize("output_format", FORMATS)
    def test_every_format_is_delivered(self, client: Asking, output_format: str) -> None:
        answer = client.generate(output_format=output_format)
        (picture,) = all_delivered(answer)
        assert picture.format == output_format.upper()

    def test_compression_makes_a_smaller_file(self, client: Asking) -> None:
        lengths = []
        for quality in (100, 10):
            answer = client.generate(output_format="jpeg", output_compression=quality, extra_body={"seed": 5})
            all_delivered(answer)
            lengths.append(Path(answer["images"][0]["file"]).stat().st_size)
        assert lengths[1] < lengths[0] / 2

    def test_a_url_leads_to_the_image(self, client: Asking) -> None:
        answer = client.generate(response_format="url", output_format="webp", n=2)
        assert len(all_delivered(answer)) == 2
        for image in answer["images"]:
            assert image["url"].startswith(client.gateway.removesuffix("/v1") + "/")
            assert image["content_type"] == "image/webp"

    def test_retired_names_whose_clients_read_only_urls_get_urls(self, client: Asking) -> None:
        answer = client.generate(model="dall-e-3")
        all_delivered(answer)
        assert answer["images"][0]["url"]

    @pytest.mark.parametrize("given_as", ["open", "file", "memory", "named_memory"])
    def test_one_picture_is_edited_however_it_is_held(
        self, client: Asking, uploads: Uploads, vendors: Vendors, given_as: str
    ) -> None:
        all_delivered(client.edit(uploads.photo, given_as=given_as))
        assert arrived(vendors) == [PHOTO_UPRIGHT]

    def test_a_list_of_one_is_edited(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        all_delivered(client.edit(uploads.painted, in_list=True))
        assert arrived(vendors) == [PAINTED]

    def test_a_list_arrives_in_its_order(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        all_delivered(client.edit(uploads.marks, uploads.painted, uploads.photo, in_list=True))
        assert arrived(vendors) == [MARKS, PAINTED, PHOTO_UPRIGHT]

    def test_an_edit_takes_what_a_generation_takes(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        extras = {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}, "seed": 7}
        answer = client.edit(uploads.painted, n=2, output_format="webp", extra_body=extras)
        assert [(picture.size, picture.format) for picture in all_delivered(answer)] == [((2752, 1536), "WEBP")] * 2
        assert arrived(vendors) == [PAINTED] * 2

    def test_a_mask_keeps_what_it_covers(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        answer = client.edit(uploads.painted, mask=uploads.mask, output_format="png", size="1536x1024")
        (edited,) = all_delivered(answer)
        with Image.open(uploads.painted) as original:
            assert edited.size == PAINTED
            assert outside_is_untouched(original, edited)
            assert differing_share(original, edited, HOLE) > 0.5
        assert arrived(vendors)[0] == PAINTED

    def test_an_edit_answers_with_urls(self, client: Asking, uploads: Uploads) -> None:
        answer = client.edit(uploads.photo, response_format="url")
        all_delivered(answer)
        assert answer["images"][0]["url"]

    def test_the_json_form_is_posted_by_hand(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        answer = client.edit(uploads.painted, uploads.photo, call="post", mask=uploads.mask)
        all_delivered(answer)
        assert arrived(vendors)[0] == PAINTED
        assert PHOTO_UPRIGHT in arrived(vendors)

    def test_a_stream_ends_with_the_image(self, client: Asking) -> None:
        answer = client.generate(stream=True, output_format="jpeg")
        partials, (picture,) = completed_after_partials(answer, "image_generation")
        assert (partials, picture.format) == (0, "JPEG")
        assert answer["events"][-1]["metadata"]["model"] == NANO_BANANA_2

    def test_a_stream_shows_partial_images_first(self, client: Asking) -> None:
        answer = client.generate(stream=True, partial_images=2, model=SHOWS_ITS_DRAFTS)
        partials, finished = completed_after_partials(answer, "image_generation")
        assert 1 <= partials <= 2
        assert len(finished) == 1

    def test_an_edit_streams_too(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        answer = client.edit(uploads.photo, stream=True, partial_images=1, model=SHOWS_ITS_DRAFTS)
        partials, finished = completed_after_partials(answer, "image_edit")
        assert (partials, len(finished)) == (1, 1)
        assert arrived(vendors) == [PHOTO_UPRIGHT]

    def test_a_stream_carries_images_and_no_urls(self, client: Asking) -> None:
        """The clients' events have no place for a URL."""
        error = client.generate(stream=True, response_format="url")["error"]
        assert (error["status"], error["class"], error["param"]) == (400, "BadRequestError", "response_format")
        partials, finished = completed_after_partials(
            client.generate(stream=True, model="dall-e-3"), "image_generation"
        )
        assert (partials, len(finished)) == (0, 1)

    def test_a_stream_of_several_completes_each(self, client: Asking) -> None:
        answer = client.generate(stream=True, n=3)
        partials, finished = completed_after_partials(answer, "image_generation")
        assert partials == 0
        assert len({picture.convert("RGB").tobytes() for picture in finished}) == 3

    @pytest.mark.parametrize(
        ("fields", "status", "class_", "param", "code"),
        [
            ({"size": "0x0"}, 400, "BadRequestError", "size", "invalid_value"),
            ({"n": 11}, 400, "BadRequestError", "n", None),
            ({"output_format": "bmp"}, 400, "BadRequestError", "output_format", None),
            ({"model": "nano-bananna-2"}, 404, "NotFoundError", "model", "model_not_found"),
        ],
    )
    @pytest.mark.parametrize("streamed", [False, True], ids=["at once", "streamed"])
    def test_a_fault_of_the_caller_is_told_before_anything_begins(
        self,
        client: Asking,
        vendors: Vendors,
        fields: dict[str, Any],
        status: int,
        class_: str,
        param: str,
        code: str | None,
        streamed: bool,
    ) -> None:
        error = client.generate(**fields, **({"stream": True} if streamed else {}))["error"]
        assert (error["status"], error["class"], error["param"]) == (status, class_, param)
        assert code is None or error["code"] == code
        assert error["type"] == "invalid_request_error"
        assert error["request_id"].startswith("req_")
        assert param in error["message"]
        assert vendors.books() == []

    def test_an_edit_names_what_is_wrong_with_it(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        for pictures, fields, param in (
            ([uploads.text], {}, "image"),
            ([uploads.photo], {"n": 11}, "n"),
            ([uploads.photo], {"size": "0x0"}, "size"),
        ):
            error = client.edit(*pictures, **fields)["error"]
            assert (error["status"], error["class"], error["param"]) == (400, "BadRequestError", param)
        assert vendors.books() == []

    def test_trouble_at_every_vendor_is_an_error_of_the_server(self, client: Asking, vendors: Vendors) -> None:
        vendors.fail("*", "500")
        error = client.generate()["error"]
        assert (error["status"], error["class"]) == (503, "InternalServerError")
        assert error["message"]
        assert error["code"]

    def test_trouble_in_a_stream_is_raised_with_its_code(self, client: Asking, vendors: Vendors) -> None:
        vendors.fail("*", "500")
        told = client.generate()["error"]
        error = client.generate(stream=True)["error"]
        assert (error["class"], error["status"]) == ("APIError", None)
        assert (error["code"], error["type"]) == (told["code"], told["type"])


class PythonClient(OfficialClient):
    """What only the Python client does."""

    def test_what_awaits_gets_the_same(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        all_delivered(client.generate(asynchronous=True, n=2))
        all_delivered(client.edit(uploads.photo, asynchronous=True))
        assert arrived(vendors) == [PHOTO_UPRIGHT]

    def test_what_awaits_is_streamed_to(self, client: Asking) -> None:
        answer = client.generate(asynchronous=True, stream=True, partial_images=1, model=SHOWS_ITS_DRAFTS)
        partials, finished = completed_after_partials(answer, "image_generation")
        assert (partials, len(finished)) == (1, 1)

    def test_bytes_without_a_name_are_edited(self, client: Asking, uploads: Uploads, vendors: Vendors) -> None:
        all_delivered(client.edit(uploads.marks, given_as="bytes"))
        assert arrived(vendors) == [MARKS]

    @pytest.mark.parametrize("call", ["edit_json", "edit_form"])
    def test_data_urls_travel_as_extras(self, client: Asking, uploads: Uploads, vendors: Vendors, call: str) -> None:
        all_delivered(client.edit(uploads.photo, uploads.marks, call=call))
        assert arrived(vendors) == [PHOTO_UPRIGHT, MARKS]
