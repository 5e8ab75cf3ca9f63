"""Where Vertex AI is called: hosts by location, paths by project or express mode."""

from __future__ import annotations

import pytest

from providers.spec.adapter import ProviderModel
from providers.spec.conversation import HttpCall
from providers.spec.request import ImageRequest
from providers.vertex.adapter import VertexAdapter, default_base_url


@pytest.mark.parametrize(
    ("location", "base_url"),
    [
        ("global", "https://aiplatform.googleapis.com"),
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_each_location_has_its_host(location: str, base_url: str) -> None:
    assert default_base_url(location) == base_url


@pytest.mark.parametrize("location", ["", "evil.example/", "US", "a b"])
def test_a_location_that_cannot_be_part_of_a_host_name_is_refused(location: str) -> None:
    with pytest.raises(ValueError, match="is not a Google Cloud location"):
        default_base_url(location)


@pytest.mark.parametrize(
    ("adapter", "url"),
    [
        (
            VertexAdapter("https://x.example/vertex/", project="p", location="us-central1"),
            "/v1/projects/p/locations/us-central1/publishers/google/models/m:generateContent",
        ),
        (VertexAdapter("https://x.example/vertex", project=None), "/v1/publishers/google/models/m:generateContent"),
        (
            VertexAdapter("https://x.example/vertex", project=None, api_version="v1beta1"),
            "/v1beta1/publishers/google/models/m:generateContent",
        ),
    ],
)
def test_the_path_names_project_and_location_unless_in_express_mode(adapter: VertexAdapter, url: str) -> None:
    call = next(adapter.converse(ImageRequest("public", "p"), ProviderModel("m", "gemini-3-image")))
    assert isinstance(call, HttpCall)
    assert call.url == url
    assert adapter.endpoint.base_url == "https://x.example/vertex"
