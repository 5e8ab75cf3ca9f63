"""The vendors' own SDKs work against the simulator: each generates an image and edits one."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from PIL import Image
from replicate.client import Client

from simulator.hosting import certificate
from simulator.server import FalAtRoot, create_app
from simulator.settings import SimulatorSettings
from tests.servers import running

FAST = SimulatorSettings(time_scale=1000.0)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """One simulator for this file."""
    with running(create_app(FAST)) as url:
        yield url


@pytest.fixture
def client(base: str) -> Iterator[Client]:
    """Replicate's client, closed afterwards: it has no public way to let its connections go."""
    client = Client(api_token="test-token", base_url=f"{base}/replicate")
    yield client
    client._client.close()


def picture(size: tuple[int, int] = (640, 480)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(out, "PNG")
    return out.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Every pixel is read: a cut file raises."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def google_client(mode: str, base: str) -> genai.Client:
    if mode == "gemini":
        return genai.Client(api_key="test-key", http_options=types.HttpOptions(base_url=f"{base}/gemini"))
    options = types.HttpOptions(base_url=f"{base}/vertex")
    if mode == "vertex express":
        return genai.Client(vertexai=True, api_key="test-key", http_options=options)
    credentials = Credentials(token="test-token")  # type: ignore[no-untyped-call]
    return genai.Client(vertexai=True, project="test", location="global", credentials=credentials, http_options=options)


def google_image(answer: types.GenerateContentResponse) -> Image.Image:
    assert answer.candidates
    content = answer.candidates[0].content
    assert content is not None
    assert content.parts is not None
    blobs = [part.inline_data for part in content.parts if part.inline_data is not None]
    assert len(blobs) == 1
    assert blobs[0].data is not None
    image = decoded(blobs[0].data)
    assert image.format is not None
    assert blobs[0].mime_type == Image.MIME[image.format]
    return image


@pytest.mark.parametrize("mode", ["gemini", "vertex express", "vertex project"])
def test_google_genai_generates_an_image_of_the_size_that_was_asked_for(base: str, mode: str) -> None:
    with google_client(mode, base) as client:
        answer = client.models.generate_content(
            model="gemini-3.1-flash-image-preview",
            contents="a red fox in the snow",
            config=types.GenerateContentConfig(
                response_modalities=["IMAGE"],
                image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K"),
            ),
        )
    image = google_image(answer)
    assert image.size == (2752, 1536)
    assert image.format == ("JPEG" if mode == "gemini" else "PNG")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_token_count == 1680


@pytest.mark.parametrize("mode", ["gemini", "vertex express", "vertex project"])
def test_google_genai_edits_an_image(base: str, mode: str) -> None:
    contents: list[Any] = [types.Part.from_bytes(data=picture(), mime_type="image/png"), "make it blue"]
    with google_client(mode, base) as client:
        answer = client.models.generate_content(
            model="gemini-3.1-flash-image-preview",
            contents=contents,
            config=types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"]),
        )
    image = google_image(answer)
    assert image.size == (1200, 896), "the nearest ratio to the input's 4:3 is taken when none is asked for"


def test_google_genai_streams_an_image(base: str) -> None:
    with google_client("gemini", base) as client:
        parts: list[Any] = []
        last: Any = None
        for last in client.models.generate_content_stream(
            model="gemini-2.5-flash-image", contents="a quiet harbour at night"
        ):
            parts += [part for candidate in last.candidates for part in candidate.content.parts]
    images = [part.inline_data.data for part in parts if part.inline_data]
    assert [decoded(data).size for data in images] == [(1024, 1024)]
    assert last.candidates[0].finish_reason == types.FinishReason.STOP


def test_google_genai_lists_the_models(base: str) -> None:
    with google_client("gemini", base) as client:
        names = {model.name for model in client.models.list()}
    assert "models/gemini-nano-banana-2.1" in names


def test_replicate_generates_an_image_of_the_size_that_was_asked_for(client: Client) -> None:
    prediction = client.models.predictions.create(
        "google/nano-banana-2", input={"prompt": "a red fox", "aspect_ratio": "21:9", "output_format": "png"}
    )
    prediction.wait()
    assert prediction.status == "succeeded"
    image = decoded(client._client.get(str(prediction.output)).content)
    assert image.size == (1584, 672)
    assert image.format == "PNG"


def test_replicate_run_edits_an_uploaded_image(client: Client) -> None:
    output = client.run(
        "google/nano-banana-pro",
        input={"prompt": "make it blue", "image_input": [io.BytesIO(picture((480, 640)))], "resolution": "1K"},
    )
    image = decoded(client._client.get(str(output)).content)
    assert image.size == (896, 1200)
    assert image.format == "JPEG"


def test_replicate_run_gives_a_list_for_flux(client: Client) -> None:
    output = client.run("black-forest-labs/flux-schnell", input={"prompt": "a red fox", "num_outputs": 2})
    images = [decoded(client._client.get(str(link)).content) for link in output]
    assert [(image.size, image.format) for image in images] == [((1024, 1024), "WEBP")] * 2
    assert images[0].tobytes() != images[1].tobytes()


FAL_SCRIPT = """
import base64, json, sys
import fal_client

client = fal_client.SyncClient(key="id:secret")
states = []
fox = client.subscribe(
    "fal-ai/nano-banana-2",
    arguments={"prompt": "a red fox", "aspect_ratio": "16:9", "resolution": "0.5K", "sync_mode": True},
    with_logs=True,
    on_queue_update=lambda state: states.append(type(state).__name__),
)
data_uri = "data:image/png;base64," + sys.argv[1]
blue = client.submit(
    "fal-ai/nano-banana-2/edit",
    arguments={"prompt": "make it blue", "image_urls": [data_uri], "output_format": "jpeg", "sync_mode": True},
).get()
direct = client.run("fal-ai/flux/schnell", arguments={"prompt": "a red fox", "sync_mode": True})
try:
    client.subscribe("fal-ai/nano-banana-2", arguments={"prompt": "a red fox", "resolution": "8K"})
    refused = None
except fal_client.FalClientHTTPError as error:
    refused = [error.response.status_code, json.loads(error.response.content)["detail"][0]["type"]]
links = [answer["images"][0]["url"].partition(",")[2] for answer in (fox, blue, direct)]
print(json.dumps({"images": links, "states": states, "refused": refused}))
"""


def test_fal_client_generates_edits_and_runs_through_the_tls_port(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    with running(FalAtRoot(create_app(FAST)), tls=certificate(authority)) as url:
        host = url.removeprefix("https://")
        # fal-client reads its hosts when it is imported, so it needs a process of its own.
        script = subprocess.run(
            [sys.executable, "-c", FAL_SCRIPT, base64.b64encode(picture((768, 1376))).decode()],
            env={
                **os.environ,
                "FAL_QUEUE_RUN_HOST": host,
                "FAL_RUN_HOST": f"{host}/fal-run",
                "SSL_CERT_FILE": str(authority),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert script.returncode == 0, script.stderr
    told = json.loads(script.stdout)
    fox, blue, direct = (decoded(base64.b64decode(text)) for text in told["images"])
    assert (fox.size, fox.format) == ((688, 384), "PNG")
    assert (blue.size, blue.format) == ((768, 1376), "JPEG")
    assert (direct.size, direct.format) == ((1024, 768), "JPEG")
    assert "Completed" in told["states"]
    assert told["refused"] == [422, "literal_error"]
