"""Vertex AI: generateContent by project and location, or by express-mode API key.

Reference: https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest. Unlike the Gemini API it can be
asked for an image format. What it gives unasked is undocumented, so it is always asked.
"""

from __future__ import annotations

import re

from providers.google_dialect.exchange import exchange
from providers.google_dialect.options import with_options
from providers.google_dialect.wire import SCHEMAS, generate_content, shows_thoughts
from providers.spec.adapter import Endpoint, ProviderModel
from providers.spec.conversation import Conversation
from providers.spec.request import ImageRequest, OutputFormat

VENDOR = "Vertex AI"

MULTI_REGIONS = frozenset({"us", "eu"})
"""Locations that span a continent; they have hosts of their own pattern."""

_LOCATION = re.compile(r"[a-z0-9-]+")


def default_base_url(location: str = "global") -> str:
    """Google's host for a location. Raises ValueError when it cannot be one, for it becomes part of a host name."""
    if not _LOCATION.fullmatch(location):
        raise ValueError(f"{location!r} is not a Google Cloud location such as global or us-central1")
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


class VertexAdapter:
    """Speaks to Vertex AI, or to whatever answers like it at ``base_url``.

    ``project`` None means express mode: an API key instead of a project, and URLs without project and location. v1 by
    default: Google's published description of v1 (revision of 2026-11-06) has every field sent here, and unlike v1beta1
    it does not change without notice.
    """

    name = "vertex"
    schemas = frozenset(SCHEMAS)

    def __init__(
        self, base_url: str, *, project: str | None, location: str = "global", api_version: str = "v1"
    ) -> None:
        self.endpoint = Endpoint(self.name, base_url.rstrip("/"))
        place = f"/projects/{project}/locations/{location}" if project else ""
        self._models = f"/{api_version}{place}/publishers/google/models"

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        """One generateContent call; edits go to the same model id. PNG unless another format was asked for."""
        schema = SCHEMAS[model.schema]
        body = generate_content(request, schema, output_options=_output_options(request))
        body = with_options(body, request.provider_options.get(self.name, {}), VENDOR)
        path = f"{self._models}/{model.id}"
        return (yield from exchange(path, VENDOR, request, body, interim=shows_thoughts(request, schema)))


def _output_options(request: ImageRequest) -> dict[str, object]:
    wanted = request.output_format or OutputFormat.PNG
    options: dict[str, object] = {"mimeType": wanted.media_type}
    if wanted is OutputFormat.JPEG and request.output_compression is not None:
        options["compressionQuality"] = request.output_compression  # 0 to 100, as the caller's
    return options
