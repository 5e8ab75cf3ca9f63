"""The Gemini API (https://ai.google.dev/api/generate-content): one call makes one image.

It cannot be asked for an image format: each model has its own (reported: PNG from 2.5, JPEG from the rest).
"""

from __future__ import annotations

from providers.google_dialect.exchange import exchange
from providers.google_dialect.wire import SCHEMAS
from providers.spec.adapter import Endpoint, ProviderModel
from providers.spec.conversation import Conversation
from providers.spec.request import ImageRequest


class GeminiAdapter:
    """Speaks to the Gemini API, or to whatever answers like it at ``base_url``.

    v1beta by default: in early 2026 v1 was reported to refuse ``responseModalities``, and nothing says since when it
    does not (https://github.com/googleapis/js-genai/issues/1322).
    """

    name = "gemini"
    schemas = frozenset(SCHEMAS)

    def __init__(
        self, base_url: str = "https://generativelanguage.googleapis.com", api_version: str = "v1beta"
    ) -> None:
        self.endpoint = Endpoint(self.name, base_url.rstrip("/"))
        self._api_version = api_version

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        """One generateContent call; edits go to the same model id."""
        url = f"/{self._api_version}/models/{model.id}:generateContent"
        return (yield from exchange(url, "The Gemini API", request, SCHEMAS[model.schema]))
