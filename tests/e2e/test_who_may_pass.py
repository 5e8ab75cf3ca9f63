"""Who may pass, over raw sockets against a running gateway: the path it parsed decides, whatever else is said."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from app.demo import simulated_settings
from app.doors.answer_headers import EVERY_ANSWER
from app.main import create_app
from app.serving.wire import BoundedProtocol
from app.settings import Settings
from providers.registry import PROVIDERS
from tests.e2e.conftest import Vendors
from tests.servers import running

KEY = "caller-key-one"
OPEN, DENIED, NONE = 200, 401, 404


class Answer(NamedTuple):
    """What came back, until the server closed."""

    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def gateway(simulator: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gateway")
    base = Settings(
        _env_file=None,
        gateway_spool_dir=folder,
        gateway_data_dir=folder / "data",
        gateway_api_keys=f"other,{KEY}",
        gateway_metrics_key="metrics-key",
    )
    with running(create_app(simulated_settings(base, PROVIDERS, simulator.url)), http=BoundedProtocol) as url:
        yield url


def ask(url: str, line: str, *headers: str) -> Answer:
    parts = urlsplit(url)
    lines = [line, *([] if any(each.lower().startswith("host:") for each in headers) else ["Host: h"]), *headers]
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as raw:
        raw.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        received = bytearray()
        with suppress(ConnectionError):
            while piece := raw.recv(65536):
                received += piece
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = [each.partition(": ") for each in rest]
    return Answer(int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body)


def assert_has_every_header(answer: Answer) -> None:
    for name, value in EVERY_ANSWER:
        assert answer.headers[name.decode()] == value.decode()
    assert answer.headers["x-request-id"].startswith("req_")
    assert not any(name.startswith("access-control-") for name in answer.headers)


TARGETS = [
    # As the routes spell them.
    ("/healthz", OPEN, OPEN),
    ("/readyz", OPEN, OPEN),
    ("/metrics", DENIED, DENIED),
    ("/v1/models", DENIED, OPEN),
    ("/models", DENIED, OPEN),
    ("/openai/v1/models", DENIED, OPEN),
    ("/v1/stats", DENIED, OPEN),
    ("/v1/images/files/a/b", NONE, NONE),
    ("/nothing", DENIED, NONE),
    # Escapes are undone once, before anybody looks; what they hide is what is judged.
    ("/%68ealthz", OPEN, OPEN),
    ("/v1/%6dodels", DENIED, OPEN),
    ("/healthz%00", DENIED, NONE),
    ("/healthz%0a", DENIED, OPEN),
    ("/healthz%20", DENIED, NONE),
    ("/healthz%2f", DENIED, NONE),
    ("/%2fhealthz", DENIED, NONE),
    ("/healthz%3fa", DENIED, NONE),
    ("/%2568ealthz", DENIED, NONE),
    ("/%ef%bc%8fhealthz", DENIED, NONE),
    ("/%c0%afhealthz", DENIED, NONE),
    ("/%zz/healthz", DENIED, NONE),
    # Nobody resolves dots, so none lead out of what is open or into what is not.
    ("/healthz/../v1/models", DENIED, NONE),
    ("/healthz/%2e%2e/v1/models", DENIED, NONE),
    ("/healthz/..%2fv1/models", DENIED, NONE),
    ("/v1/../healthz", DENIED, NONE),
    ("/./healthz", DENIED, NONE),
    ("/.%2e/healthz", DENIED, NONE),
    ("/healthz\\..\\v1\\models", DENIED, NONE),
    ("/v1/images/files/../../models", NONE, NONE),
    ("/v1/images/files/%2e%2e/%2e%2e/models", NONE, NONE),
    ("/v1/images/files/..%2f..%2fmodels", NONE, NONE),
    ("/v1/images/files/", NONE, NONE),
    ("/v1/images/files", DENIED, NONE),
    ("/v1/images/filesystem", DENIED, NONE),
    ("/v1/images/%66iles/../generations", NONE, NONE),
    # Slashes, parameters, case, endings.
    ("//healthz", DENIED, NONE),
    ("///v1/models", DENIED, NONE),
    ("/v1//models", DENIED, NONE),
    ("//v1/models", DENIED, NONE),
    ("/healthz/", DENIED, NONE),
    ("/v1/models/", DENIED, NONE),
    ("/healthz;a=b", DENIED, NONE),
    ("/healthz;/v1/models", DENIED, NONE),
    ("/v1/models;a=b", DENIED, NONE),
    ("/HEALTHZ", DENIED, NONE),
    ("/Healthz", DENIED, NONE),
    ("/V1/models", DENIED, NONE),
    ("/healthz.json", DENIED, NONE),
    # Queries and fragments say nothing.
    ("/v1/models?/healthz", DENIED, OPEN),
    ("/v1/models?x=/../healthz", DENIED, OPEN),
    ("/healthz?/v1/models", OPEN, OPEN),
    ("/v1/models#/healthz", DENIED, OPEN),
    ("/healthz#/v1/models", OPEN, OPEN),
    # Whole URLs as a target: their path counts, and nobody is asked on anybody's behalf.
    ("http://h/v1/models", DENIED, OPEN),
    ("http://healthz/v1/models", DENIED, OPEN),
    ("https://elsewhere.test/healthz", OPEN, OPEN),
    ("http://h/healthz/../v1/models", DENIED, NONE),
    ("http://user:pw@h/v1/models", DENIED, OPEN),
    ("http://h", 400, 400),
    ("HTTP://H/v1/models", DENIED, OPEN),
]


@pytest.mark.parametrize(("target", "without", "with_key"), TARGETS)
def test_the_parsed_path_decides(gateway: str, target: str, without: int, with_key: int) -> None:
    for status, headers in ((without, ()), (with_key, (f"Authorization: Bearer {KEY}",))):
        answer = ask(gateway, f"GET {target} HTTP/1.1", *headers)
        assert answer.status == status, answer
        if (answer.status, without) != (NONE, NONE):  # images by URL have their own; see test_hosting.py
            assert_has_every_header(answer)
        if answer.status >= 400:
            assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "header",
    [
        "Host: healthz",
        "Host: localhost",
        "Host: 127.0.0.1",
        "Host: h/healthz?",
        "Host: h/healthz#",
        "Host: @/healthz",
        "Host:",
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
        "Forwarded: for=127.0.0.1;host=localhost;proto=https",
        "X-Forwarded-Host: localhost",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Path: /healthz",
        "X-Forwarded-Prefix: /healthz",
        "X-Forwarded-Uri: /healthz",
        "X-Original-URL: /healthz",
        "X-Original-URI: /healthz",
        "X-Rewrite-URL: /healthz",
        "X-Script-Name: /v1",
        "Script-Name: /v1/models",
        "X-HTTP-Method-Override: OPTIONS",
        "X-HTTP-Method: OPTIONS",
        "X-Method-Override: HEAD",
        "X-Authenticated-User: admin",
        "X-Remote-User: admin",
        "Remote-User: admin",
        f"Cookie: api-key={KEY}",
        f"Proxy-Authorization: Bearer {KEY}",
        f"Authorization: Basic {KEY}",
        f"Authorization: {KEY}",
        f"Authorization: Bearer {KEY}x",
        f"Authorization: Bearer {KEY[:-1]}",
        f"Authorization: Bearer {KEY},other",
        f"Authorization: Bearer other,{KEY}",
        f"Authorization: Bearer {KEY.upper()}",
        "Authorization: Bearer",
        "Authorization: Bearer ",
        "Authorization: Bearer " + "x" * 60_000,
        "Authorization: Bearer metrics-key",
        f"X_API_KEY: {KEY}",
        f"X-Api_Key: {KEY}",
    ],
)
def test_no_header_stands_in_for_the_key(gateway: str, header: str) -> None:
    for target in ("/v1/models", "/metrics", "/nothing"):
        if "metrics-key" in header and target == "/metrics":
            continue
        answer = ask(gateway, f"GET {target} HTTP/1.1", header)
        assert answer.status == 401, answer
        assert_has_every_header(answer)
        assert KEY.encode() not in answer.body


@pytest.mark.parametrize("name", ["Authorization", "api-key", "x-api-key"])
def test_two_keys_are_none(gateway: str, name: str) -> None:
    good, bad = (f"{'Bearer ' if name == 'Authorization' else ''}{key}" for key in (KEY, "wrong"))
    for pair in ((good, bad), (bad, good), (good, good)):
        answer = ask(gateway, "GET /v1/models HTTP/1.1", *(f"{name}: {each}" for each in pair))
        assert answer.status == 401
        assert f"'{name.lower()}' came more than once" in json.loads(answer.body)["error"]["message"]
    assert ask(gateway, "GET /v1/models HTTP/1.1", f"{name}: {good}").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_no_method_passes_without_the_key_and_none_is_another_in_disguise(gateway: str, method: str) -> None:
    for target in ("/v1/models", "/v1/images/generations", "*" if method == "OPTIONS" else "/v1/images/edits"):
        bare = ask(gateway, f"{method} {target} HTTP/1.1", "X-HTTP-Method-Override: GET")
        assert bare.status in {400, 401}
        answer = ask(
            gateway, f"{method} {target} HTTP/1.1", f"Authorization: Bearer {KEY}", "X-HTTP-Method-Override: GET"
        )
        served = {"/v1/models": {"GET", "HEAD"}}.get(target, {"POST"})
        assert (answer.status == 405) == (method not in served and target != "*"), answer


def test_no_page_of_another_origin_is_let_in(gateway: str) -> None:
    """CORS is off: a browser's question beforehand is refused, and no answer names an origin."""
    asked = ("Origin: https://page.test", "Access-Control-Request-Method: POST")
    for headers, status in ((asked, 401), ((*asked, f"Authorization: Bearer {KEY}"), 405)):
        answer = ask(gateway, "OPTIONS /v1/images/generations HTTP/1.1", *headers)
        assert answer.status == status
        assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
        assert_has_every_header(answer)
    answer = ask(gateway, "GET /v1/models HTTP/1.1", "Origin: https://page.test", f"Authorization: Bearer {KEY}")
    assert answer.status == 200
    assert_has_every_header(answer)
