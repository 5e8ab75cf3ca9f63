"""Heads that are not taken: the version, the host, and how the body is framed."""

from __future__ import annotations

import pytest

from app.serving.request_head import refusal

HOST = (b"host", b"h")
LENGTH = (b"content-length", b"5")
CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [HOST]),
        ("1.1", [(b"host", b"")]),
        ("1.1", [HOST, LENGTH]),
        ("1.1", [HOST, (b"content-length", b"005")]),
        ("1.1", [HOST, CHUNKED]),
        ("1.1", [HOST, (b"transfer-encoding", b" Chunked\t")]),
        ("1.0", []),
        ("1.0", [HOST, LENGTH]),
    ],
)
def test_a_head_that_can_be_read_in_one_way_only_is_taken(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    assert refusal(version, headers) is None


@pytest.mark.parametrize(
    ("version", "headers", "status"),
    [
        ("0.9", [], 505),
        ("2.0", [HOST], 505),
        ("1.2", [HOST], 505),
        ("1.1", [], 400),
        ("1.1", [HOST, HOST], 400),
        ("1.0", [HOST, HOST], 400),
        ("1.1", [HOST, LENGTH, CHUNKED], 400),
        ("1.1", [HOST, CHUNKED, LENGTH], 400),
        ("1.1", [HOST, LENGTH, LENGTH], 400),
        *(("1.1", [HOST, (b"content-length", value)], 400) for value in (b"", b"+5", b"-5", b"5, 5", b"5 5", b"\xb2")),
        ("1.0", [HOST, CHUNKED], 501),
        ("1.1", [HOST, CHUNKED, CHUNKED], 501),
        *(
            ("1.1", [HOST, (b"transfer-encoding", value)], 501)
            for value in (
                b"",
                b"gzip",
                b"gzip, chunked",
                b"chunked, chunked",
                b"\x0bchunked",
                b"chunked;a",
                b"identity",
            )
        ),
    ],
)
def test_any_other_is_refused(version: str, headers: list[tuple[bytes, bytes]], status: int) -> None:
    refused = refusal(version, headers)
    assert refused is not None
    assert refused.status == status
    assert refused.message.endswith(".")
