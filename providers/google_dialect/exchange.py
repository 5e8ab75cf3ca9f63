"""The whole conversation: one call, one reply."""

from __future__ import annotations

from providers.google_dialect.errors import unanswered
from providers.google_dialect.reply import read_reply
from providers.google_dialect.wire import Schema, generate_content, unmet_wishes
from providers.spec.conversation import Conversation, HttpCall, Unanswered, json_body
from providers.spec.request import ImageRequest

_HEADERS = {"content-type": "application/json"}


def exchange(
    url: str, vendor: str, request: ImageRequest, schema: Schema, *, output_mime_type: str | None = None
) -> Conversation:
    """Ask for one image at this URL. ``vendor`` is the name people know the seller by."""
    body = generate_content(request, schema, output_mime_type=output_mime_type)
    try:
        reply = yield HttpCall("POST", url, headers=_HEADERS, body=json_body(body), commits=True)
    except Unanswered as silence:
        raise unanswered(vendor, silence) from None
    if reply is None:
        raise TypeError("a call was answered with nothing")
    return read_reply(reply, vendor, request, unmet_wishes(request, schema))
