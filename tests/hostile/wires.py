"""Requests that are not quite HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.case import Case, Verdict

UNREAD: Verdict = (400, "invalid_request")
BODY = b'{"prompt": "a fox"}'
OTHERS: tuple[Verdict, ...] = (
    UNREAD,
    (200, None),
    (404, "route_not_found"),
    (400, "invalid_json"),
    (414, "path_too_long"),
)


def cases() -> Iterator[Case]:
    """All of them."""
    for name, head in (
        ("no HTTP", b"fox\r\n\r\n"),
        ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n"),
        ("HTTP/9.9", b"GET / HTTP/9.9\r\n\r\n"),
        ("a header without a colon", b"GET /healthz HTTP/1.1\r\nfox\r\n\r\n"),
        ("a name with a blank", b"GET /healthz HTTP/1.1\r\nho st: a\r\n\r\n"),
        ("a NUL in a value", b"GET /healthz HTTP/1.1\r\nx: a\0b\r\n\r\n"),
        ("two lengths", _post(b"content-length: 19\r\ncontent-length: 20")),
        ("a length and chunks", _post(b"content-length: 19\r\ntransfer-encoding: chunked")),
        ("a negative length", _post(b"content-length: -1")),
        ("a length in hexadecimal", _post(b"content-length: 0x13")),
        ("a length of 30 digits", _post(b"content-length: " + b"9" * 30)),
        ("chunks that are none", _post(b"transfer-encoding: chunked", b"fox\r\n\r\n")),
        ("a chunk of 2^64 bytes", _post(b"transfer-encoding: chunked", b"FFFFFFFFFFFFFFFFF\r\n\r\n")),
        ("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n"),
    ):
        yield Case(name, head=head, verdicts=(UNREAD,))
    unspoken = (UNREAD, (501, "transfer_encoding_not_supported"), (505, "version_not_supported"))
    yield Case("a line of HTTP/0.9", head=b"GET /\r\n\r\n", verdicts=unspoken)
    yield Case("an unknown coding", head=_post(b"transfer-encoding: fox"), verdicts=unspoken)
    yield Case(
        "a head of 100 KB", head=b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000, verdicts=((431, "header_too_large"),)
    )
    for path in (
        b"http://example.com/healthz",
        b"//healthz",
        b"/%2e%2e/healthz",
        b"/healthz/",
        b"/%",
        b"/%00",
        b"/\xff",
        b"*",
        b"/?" + b"a" * 9000,
    ):
        head = b"GET " + path + b" HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
        yield Case(f"the path {path[:30]!r}", head=head, verdicts=OTHERS)
    for host in (b"", b"example.com", b"127.0.0.1:1:1", b"[::1", b"a@127.0.0.1", b"127.0.0.1\t"):
        head = b"GET /v1/models HTTP/1.1\r\nhost: " + host + b"\r\nconnection: close\r\n\r\n"
        yield Case(f"the host {host!r}", head=head, verdicts=((403, "loopback_only"), (200, None), UNREAD))


def _post(lines: bytes, body: bytes = BODY) -> bytes:
    head = b"POST /v1/route HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n"
    return head + lines + b"\r\n\r\n" + body
