"""The Gemini API (https://ai.google.dev/api/generate-content): large inputs are uploaded, one call makes one image.

It cannot be asked for an image format: each model has its own (reported: PNG from 2.5, JPEG from the rest).
"""

from __future__ import annotations

from providers.gemini.files import uploaded
from providers.google_dialect.errors import failure
from providers.google_dialect.exchange import exchange
from providers.google_dialect.options import with_options
from providers.google_dialect.wire import SCHEMAS, generate_content, shows_thoughts
from providers.spec.adapter import Endpoint, ProviderModel
from providers.spec.conversation import Conversation
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest

VENDOR = "The Gemini API"


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
        """Uploads where they are needed, then one generateContent call; edits go to the same model id."""
        schema = SCHEMAS[model.schema]
        options = request.provider_options.get(self.name, {})
        body = with_options(generate_content(request, schema), options, VENDOR)  # refused before anything is uploaded
        uris = yield from uploaded(request, VENDOR, version=self._api_version, base_url=self.endpoint.base_url)
        if uris:
            body = with_options(generate_content(request, schema, uploaded=uris), options, VENDOR)
        path = f"/{self._api_version}/models/{model.id}"
        try:
            return (yield from exchange(path, VENDOR, request, body, interim=shows_thoughts(request, schema)))
        except ProviderError as failed:
            # A file that is gone is refused with the same 403 as a key without rights. The uploads have just shown that
            # the key is good, and it must not be taken out of service for all callers because of one request's file.
            if uris and failed.fault is Fault.CREDENTIALS:
                detail = failed.detail
                raise failure(Fault.UNSUPPORTED, VENDOR, detail=detail, parameter="image") from failed
            raise
