"""What callers reach the gateway by, taken from a request without trusting its text."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from app.doors.hosted.origin import origin_of


def request(host: str | None, **scope: object) -> Request:
    headers = [(b"host", host.encode("latin-1"))] if host is not None else []
    given = {"type": "http", "scheme": "http", "server": ("10.0.0.7", 8080), "path": "/", "headers": headers}
    return Request(given | scope)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8080", "images.example.com", "my_gateway:80", "[::1]:8080", "[fe80::1]"]
)
def test_a_name_and_port_are_taken_as_they_are(host: str) -> None:
    assert origin_of(request(host)) == f"http://{host}"


@pytest.mark.parametrize(
    "host", [None, "", "evil/path", "a@b", "a b", '"><script>', "a:b", "a:123456", "[::1", "a?b", "a#b", "ä"]
)
def test_anything_else_gives_the_address_the_server_listens_on(host: str | None) -> None:
    assert origin_of(request(host)) == "http://10.0.0.7:8080"


def test_scheme_and_prefix_are_those_the_server_knows() -> None:
    assert origin_of(request("a", scheme="https", root_path="/gateway/")) == "https://a/gateway"


def test_an_address_of_version_6_stands_in_brackets_and_a_missing_one_is_this_machine() -> None:
    assert origin_of(request(None, server=("::1", 8080))) == "http://[::1]:8080"
    assert origin_of(request(None, server=None)) == "http://127.0.0.1"
