"""The trust rule: where a credential may go, and where a reply may lead."""

from __future__ import annotations

import pytest

from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Trust, Unanswered
from providers.transport import resolve

ENDPOINT = Endpoint("fal", "https://queue.vendor.test", frozenset({"media.test", ".media.test", "other.test"}))
TWO = Endpoint(
    "fal", "https://queue.vendor.test", frozenset({"media.test"}), frozenset({"https://rest.vendor.test/below"})
)
PREFIXED = Endpoint("fal", "http://127.0.0.1:9090/fal")


def resolved(url: str, trust: Trust = Trust.RESPONSE, endpoint: Endpoint = ENDPOINT) -> tuple[str, bool]:
    found, own = resolve(HttpCall("GET", url, trust), endpoint)
    return str(found), own


def refused(url: str, trust: Trust = Trust.RESPONSE, endpoint: Endpoint = ENDPOINT) -> Unanswered:
    with pytest.raises(Unanswered) as raised:
        resolve(HttpCall("GET", url, trust), endpoint)
    assert raised.value.sent is False
    assert "://" not in raised.value.reason
    return raised.value


def test_a_relative_url_keeps_the_prefix_of_the_base() -> None:
    path = "/v1/models/a%2Fb:predict?x=1"
    assert resolved(path, Trust.CONFIGURED, PREFIXED) == (f"http://127.0.0.1:9090/fal{path}", True)


@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize(
    "url", ["https://queue.vendor.test/r/1", "HTTPS://Queue.Vendor.Test/r/1", "https://queue.vendor.test:443/r/1"]
)
def test_an_absolute_url_on_the_configured_origin_gets_the_credential(url: str, trust: Trust) -> None:
    assert resolved(url, trust)[1] is True


@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize(
    "url",
    [
        "https://queue.vendor.test/r/1",
        "https://rest.vendor.test/storage/upload?x=%2F",
        "HTTPS://REST.vendor.test:443/elsewhere",
    ],
)
def test_every_configured_origin_gets_the_credential(url: str, trust: Trust) -> None:
    assert resolved(url, trust, TWO)[1] is True
    if "queue" not in url:
        refused(url, trust)


@pytest.mark.parametrize(
    "url",
    [
        "http://rest.vendor.test/x",
        "https://rest.vendor.test:8443/x",
        "https://rest.vendor.test./x",
        "https://key@rest.vendor.test/x",
        "https://rest.vendor.test@evil.test/x",
        "https://rest.vendor.test.evil.test/x",
        "https://evilrest.vendor.test/x",
        "https://vendor.test/x",
    ],
)
def test_what_only_resembles_a_second_origin_is_refused(url: str) -> None:
    for trust in Trust:
        refused(url, trust, TWO)


def test_a_relative_url_stays_on_the_first_origin() -> None:
    assert resolved("/storage/x", Trust.CONFIGURED, TWO) == ("https://queue.vendor.test/storage/x", True)


def test_a_file_is_handed_to_a_listed_media_host_bare_and_to_no_other_host() -> None:
    def put(url: str) -> HttpCall:
        return HttpCall("PUT", url, Trust.RESPONSE, body=(b"x",))

    assert resolve(put("https://media.test/put?signature=a%2Fb"), TWO)[1] is False
    for url in ("https://storage.elsewhere.test/put", "http://media.test/put", "https://169.254.169.254/put"):
        with pytest.raises(Unanswered):
            resolve(put(url), TWO)


def test_loopback_over_http_is_admitted_by_being_the_configured_origin_alone() -> None:
    assert resolved("http://127.0.0.1:9090/media/1.png", endpoint=PREFIXED)[1] is True
    refused("http://127.0.0.1:9091/media/1.png", endpoint=PREFIXED)
    refused("http://localhost:9090/media/1.png", endpoint=PREFIXED)


@pytest.mark.parametrize(
    "url",
    [
        "http://queue.vendor.test/r",
        "https://queue.vendor.test:8443/r",
        "https://queue.vendor.test./r",
        "https://media.test/r",
        "https://user@queue.vendor.test/r",
        "https://user:pw@queue.vendor.test/r",
        "https://:pw@queue.vendor.test/r",
        "https://queue.vendor.test@evil.test/r",
        "https://queue.vendor.test.evil.test/r",
        "queue.vendor.test/r",
        "ftp://queue.vendor.test/r",
        "",
    ],
)
def test_a_configured_url_elsewhere_is_refused(url: str) -> None:
    refused(url, Trust.CONFIGURED)


@pytest.mark.parametrize(
    "url",
    [
        "https://media.test/a.png",
        "https://MEDIA.test/a.png",
        "https://media.test./a.png",
        "https://media.test:443/a.png",
        "https://v3b.media.test/a.png",
        "https://a.b.media.test/a.png",
        "https://other.test/a.png",
    ],
)
def test_a_listed_media_host_is_fetched_without_the_credential(url: str) -> None:
    assert resolved(url)[1] is False


@pytest.mark.parametrize(
    "url",
    [
        "http://media.test/a.png",
        "https://media.test:8443/a.png",
        "https://evilmedia.test/a.png",
        "https://media.test.evil.test/a.png",
        "https://sub.other.test/a.png",
        "https://user@media.test/a.png",
        "https://user:pw@media.test/a.png",
        "https://:pw@media.test/a.png",
        "https://media.test\\@evil.test/a.png",
        "https://evil.test/?https://media.test/",
        "https://evil.test#.media.test",
        "https://127.0.0.1/a.png",
        "https://[::1]/a.png",
        "https:///a.png",
        "https://media.test:99999/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "/relative.png",
        "//media.test/a.png",
        "not a url",
        "https://xn--/",
        "https://[]@",
        "https://media.test:+443/a.png",
        "https://media.test\x00/a.png",
        "https://media.test/a.png\r\nx: y",
        "https://.media.test/a.png",
        "https://a..media.test/a.png",
        "https://media.test../a.png",
        "https://a%2emedia.test/a.png",
        "https://media.test/" + "x" * 9_000,
    ],
)
def test_a_url_out_of_a_reply_that_leads_elsewhere_is_refused(url: str) -> None:
    refused(url)


def test_an_address_is_refused_even_where_it_is_listed() -> None:
    listing = Endpoint("fal", "https://queue.vendor.test", frozenset({"10.0.0.1", "::1"}))
    refused("https://10.0.0.1/a.png", endpoint=listing)
    refused("https://[::1]/a.png", endpoint=listing)


def test_a_signed_url_is_fetched_as_it_was_spelt() -> None:
    url = "https://media.test/a%2Fb%7e.png?sig=a%2Fb%3D%7E+c&e=1"
    assert resolved(url) == (url, False)
    assert resolved("https://media.test/a b.png?q=é")[0] == "https://media.test/a%20b.png?q=%C3%A9"
