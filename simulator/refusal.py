"""Answers to requests that no endpoint takes, in the shape of the vendor under whose path they came."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, PlainTextResponse, Response

from simulator.fal import errors as fal
from simulator.google.errors import GoogleError
from simulator.media import vendor_of
from simulator.replicate import errors as replicate
from simulator.vendors import Vendor

GOOGLE_STATUS = {404: "NOT_FOUND", 405: "UNIMPLEMENTED", 413: "INVALID_ARGUMENT", 503: "UNAVAILABLE", 500: "INTERNAL"}
"""Google's words; that a wrong method is answered in JSON is unverified."""
TITLES = {404: "Not found", 405: "Method not allowed", 503: "Service Unavailable", 500: "Internal Server Error"}


def refusal(path: str, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """The error answer of whoever owns the path."""
    vendor = vendor_of(path)
    plain: Response
    if path.startswith("/media/"):
        plain = PlainTextResponse(sentence, status)
    elif vendor in (Vendor.GEMINI, Vendor.VERTEX):
        plain = GoogleError(status, GOOGLE_STATUS.get(status, "UNKNOWN"), sentence).response()
    elif vendor is Vendor.FAL:
        plain = fal.plain(status, sentence)
    elif vendor is Vendor.REPLICATE:
        plain = replicate.problem(status, TITLES.get(status, "Error"), sentence)
    else:
        plain = JSONResponse({"error": sentence}, status)
    plain.headers.update(headers or {})
    return plain
