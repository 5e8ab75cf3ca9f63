"""Signatures of image URLs: what makes a URL ours. Who has one may fetch the image; nobody else can make one."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "/v1/images/files/"
"""Where kept images are served; below it a signature and a name. Nothing else is."""
_DOMAIN = b"image-gateway: URL of an image, version 1\x00"
"""Stands before what is signed, so that the key can sign other things one day and no signature means both."""


class Signer:
    """Signs names with HMAC-SHA256. The name holds the expiry, so neither can be changed without the other."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Signer(key hidden)"

    def sign(self, name: str) -> str:
        """The signature of a name: 43 characters that need no escaping in a URL."""
        digest = hmac.digest(self._key, _DOMAIN + name.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    def matches(self, signature: str, name: str) -> bool:
        """Whether this is the name's signature. Takes the same time for every wrong one of the right length.

        The texts are compared and not the bytes they stand for: a second spelling of a signature is a wrong one.
        """
        return hmac.compare_digest(self.sign(name).encode(), signature.encode("utf-8", "surrogatepass"))

    def path(self, name: str) -> str:
        """The path under which the image of this name is served.

        The signature stands in the path and not in a query: there is no ``&`` for a shell, a chat window or HTML to
        spoil, no parameter to add, and a cache that leaves queries out of its keys is still right.
        """
        return f"{PREFIX}{self.sign(name)}/{name}"
