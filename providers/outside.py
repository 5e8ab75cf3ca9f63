"""URLs from outside: whether one that a caller or a vendor's reply names may be asked for, before it is looked up.

Pure. Where the name leads is judged when it is looked up, in ``providers.public_only``.
"""

from __future__ import annotations

import re

from yarl import URL

from providers.addresses import is_public

URL_CHARS = 8192
"""More than browsers and proxies carry; presigned URLs have about 1,500."""
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?P<port>:[0-9]*)?")
"""A name or an address and perhaps a port: no escapes, no zone, nothing that two readers could split differently."""
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NAME_CHARS = 253


class RefusedUrlError(ValueError):
    """The URL is not asked for. ``reason`` is a clause in our words, without any part of the URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def as_given(text: str) -> URL:
    """The URL spelt as its sender spelt it, as far as it can be sent so: another spelling would break a signature.

    Raises ValueError.
    """
    try:
        return URL(text, encoded=text.isascii() and text.isprintable() and " " not in text)
    except IndexError:
        raise ValueError("not a URL") from None  # yarl 1.25 raises it for "https://[]@"


def judged(text: str, *, base: URL | None = None, anywhere: bool = False) -> URL:
    """The URL, if it may be asked for: https on port 443 of a name or a public address, without a user.

    ``base``: where a redirect to ``text`` came from. ``anywhere`` admits http, every host and every port. Raises
    RefusedUrlError.
    """
    if len(text) > URL_CHARS:
        raise RefusedUrlError(f"the URL has more than {URL_CHARS:,} characters")
    try:
        url = as_given(text)
        url = url if base is None else base.join(url)
        url.origin()
        scheme, host, authority = url.scheme.lower(), url.host, url.raw_authority
        _ = url.port  # split when they are first asked for, and refused only then
    except ValueError:
        raise RefusedUrlError("it is not a usable URL") from None
    if scheme not in ("https", "http") or not host:
        raise RefusedUrlError("it is not an https URL")
    if "@" in authority:
        raise RefusedUrlError("a URL with a user or a password is not asked for")
    if anywhere:
        return url
    if scheme != "https":
        raise RefusedUrlError("only https URLs are asked for")
    if not text.isprintable():
        raise RefusedUrlError("it holds a character that no URL has")
    split = _AUTHORITY.fullmatch(authority)
    if split is None:
        raise RefusedUrlError("its host is spelt as no host on the internet is")
    _judge_host(split["host"])
    if split["port"] not in (None, ":", ":443"):
        raise RefusedUrlError("only port 443 is asked")
    return url


def _judge_host(host: str) -> None:
    """Raises RefusedUrlError."""
    if host.startswith("[") or _is_numeric(host):
        if not is_public(host.strip("[]")):
            raise RefusedUrlError("its address is not a public one")
        return
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(labels) < 2:
        raise RefusedUrlError("its host is no name on the internet: there is no dot in it")
    if len(name) > _NAME_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise RefusedUrlError("its host is spelt as no host on the internet is")


def _is_numeric(host: str) -> bool:
    """Whether a host is an address in any spelling, such as 127.1 or 0x7f000001: those may be connected to without the
    resolver being asked, and with it whether they are public. Names never end in a number."""
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or last.lower().startswith("0x")
