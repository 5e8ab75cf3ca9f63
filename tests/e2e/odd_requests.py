"""Requests nobody should send, drawn from a seed: plausible ones with a few of their parts replaced by odd ones."""

from __future__ import annotations

import random

METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE", "PRI", "get", "G ET", "", "X" * 300]
PATHS = [
    "/v1/models",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/route",
    "/openapi.json",
    "/healthz",
    "/metrics",
    "/v1/images/files/a/b",
    "/",
    "*",
]
TWISTS = [
    "{}",
    "/{}",
    "//{}",
    "/.{}",
    "/..{}",
    "/healthz/..{}",
    "/healthz/%2e%2e{}",
    "/v1/images/files/..{}",
    "/v1/images/files/%2e%2e{}",
    "{}/",
    "{};healthz",
    "{}?/healthz",
    "{}#/healthz",
    "{}%00",
    "{}%0a",
    "{}%0d%0ax: y",
    "{}%20",
    "{}\\",
    "{}/%2e%2e/healthz",
    "http://healthz{}",
    "https://127.0.0.1:1{}",
    "http://h:99999{}",
    "http://[::1]{}",
    "//healthz{}",
    "healthz:80{}",
    "{}\xff",
    "{}\x00",
    "{} /healthz",
    "{}%ff%c0%ae",
]
VERSIONS = ["HTTP/1.1"] * 12 + ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", "HTTP/1.1 ", "HTTP/11", ""]
NAMES = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Upgrade",
    "HTTP2-Settings",
    "Expect",
    "Authorization",
    "Api-Key",
    "X-Api-Key",
    "X-Original-URL",
    "X-Forwarded-For",
    "X-HTTP-Method-Override",
    "Content-Type",
    "Range",
    "Trailer",
    "TE",
    "Cookie",
    "Origin",
    "",
    "X Y",
    "Content-Length ",
    " Host",
    "X\x00",
    "\xe9",
]
VALUES = [
    "h",
    "localhost",
    "",
    "0",
    "1",
    "5",
    "+5",
    "-1",
    "5, 5",
    "0x5",
    "99999999999999999999",
    "chunked",
    "Chunked",
    "gzip, chunked",
    "identity",
    "xchunked",
    "close",
    "keep-alive",
    "upgrade",
    "h2c",
    "websocket",
    "100-continue",
    "Bearer ",
    "Bearer wrong",
    "Basic d3Jvbmc6",
    "Bearer " + "k" * 9000,
    "/healthz",
    "127.0.0.1",
    "GET",
    "application/json",
    "multipart/form-data; boundary=b",
    "bytes=0-0,1-1",
    "a\tb",
    "a\x00b",
    "a\x01b",
    "a\r b",
    "\x0bchunked",
    "\xff\xfe",
]
ENDS = ["\r\n"] * 120 + ["\n", "\r", "\r\r\n", "\r\n ", "\r\n\t", "\x0b\r\n"]
BODIES = [
    "",
    "{}",
    '{"prompt": "a fox"}',
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\nHost: x\r\n\r\n",
    "5\nhello\n0\n\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "--b\r\n\r\n--b--",
    "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01",
    "\x00" * 50,
]


def drawn(seed: int) -> bytes:
    """One request, or what passes for one."""
    draw = random.Random(seed)
    body = draw.choice(BODIES)
    target = draw.choice(TWISTS if draw.random() < 0.6 else ["{}"]).format(draw.choice(PATHS))
    headers = [f"{draw.choice(NAMES)}: {draw.choice(VALUES)}" for _ in range(draw.choice([0, 1, 1, 2, 3, 5, 200]))]
    if draw.random() < 0.85:
        headers.append("Host: h")
    if draw.random() < 0.5:
        headers.append(f"Content-Length: {len(body) + draw.choice([0, 0, 0, 1, -1])}")
    draw.shuffle(headers)
    lines = [f"{draw.choice(METHODS[:2] * 8 + METHODS)} {target} {draw.choice(VERSIONS)}", *headers, ""]
    return ("".join(line + draw.choice(ENDS) for line in lines) + body).encode("latin-1")


def pieces(request: bytes, seed: int) -> list[bytes]:
    """The request as it may arrive: whole, in two, or byte by byte."""
    draw = random.Random(seed)
    match draw.randrange(4):
        case 0:
            cut = draw.randrange(len(request) + 1)
            return [request[:cut], request[cut:]]
        case 1:
            return [request[at : at + 1] for at in range(len(request[:400]))] + [request[400:]]
        case _:
            return [request]
