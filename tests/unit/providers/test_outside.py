"""URLs from outside: one spelling of a host, one port, and nothing that two readers could split differently."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from providers.addresses import is_public
from providers.outside import URL_CHARS, RefusedUrlError, judged


def reason(text: str, **how: object) -> str:
    with pytest.raises(RefusedUrlError) as raised:
        judged(text, **how)  # type: ignore[arg-type]
    assert "://" not in raised.value.reason
    return raised.value.reason


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://example.com/a.png", None),
        ("HTTPS://Example.COM/a.png", "https://Example.COM/a.png"),
        ("https://example.com", None),
        (" https://example.com/", "https://example.com/"),
        ("https://example.com./a", None),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com:/a", None),
        ("https://a_b.example.com/a%2Fb?sig=%2f%7E+c", None),
        ("https://r4---sn-x.example.com/", None),
        ("https://xn--bcher-kva.example/", None),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://8.8.8.8/a", None),
        ("https://[2606:4700::1111]/a", None),
        ("https://example.com/@x:y\\z", None),
        ("https://example.com/?u=http://user@127.0.0.1/", None),
    ],
)
def test_a_url_of_the_internet_is_asked_for_as_it_is_spelt(text: str, kept: str | None) -> None:
    assert str(judged(text)) == (kept or text)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.0.0.1",
        "0X7F.1",
        "127.0.0.1.",
        "127.0.0.1..",
        "0",
        "00.0",
        "127.0.0.01",
        "127.0.0.256",
        "1.2.3.4.5",
        "4294967295",
        "99999999999",
        "evil.test.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.⓪.⓪.①",
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ],
)
def test_an_address_that_is_not_public_is_refused_in_every_spelling(host: str) -> None:
    assert reason(f"https://{host}/a") == "its address is not a public one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://example.com/", "only https"),
        ("ftp://example.com/", "not an https"),
        ("//example.com/", "not a usable"),
        ("example.com/a", "not a usable"),
        ("https:example.com", "not a usable"),
        ("https:/example.com", "not a usable"),
        ("https:///example.com", "not a usable"),
        ("https:\\\\example.com\\a", "not a usable"),
        ("https://", "not a usable"),
        ("https://example.com\\@evil.test/", ""),
        ("https://user@example.com/", "user"),
        ("https://user:pw@example.com/", "user"),
        ("https://:pw@example.com/", "user"),
        ("https://@example.com/", "user"),
        ("https://example.com@evil.test/", "user"),
        ("https://example.com%40evil.test/", "spelt"),
        ("https://example.com%2f@evil.test/", "user"),
        ("https://%65xample.com/", "spelt"),
        ("https://%31%32%37.0.0.1/", "spelt"),
        ("https://127.0.0.1%00.example.com/", ""),
        ("https://example.com%00/", ""),
        ("https://exa\nmple.com/", ""),
        ("https://exa\tmple.com/", ""),
        ("https://exa mple.com/", ""),
        ("https://example.com/\r\nHost: evil.test", "a character"),
        ("https://example.com/\x00", "a character"),
        ("https://example.com/\u202e", "a character"),
        ("https://example..com/", "spelt"),
        ("https://.example.com/", "spelt"),
        ("https://example.com../", "spelt"),
        ("https://./", ""),
        ("https://localhost/", "no dot"),
        ("https://localhost./", "no dot"),
        ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "no dot"),
        ("https://metadata/", "no dot"),
        ("https://" + "a" * 64 + ".test/", ""),
        ("https://" + ".".join(["a" * 60] * 5) + "/", "spelt"),
        ("https://[::1%25lo]/", "spelt"),
        ("https://[fe80::1%eth0]/", "spelt"),
        ("https://[v1.a]/", ""),
        ("https://[::1]:443/", "not a public"),
        ("https://[example.com]/", ""),
        ("https://[]@", "not a usable"),
        ("https://[]@example.com/", ""),
        ("https://[]/", ""),
        ("https://[2606:4700::1111/", "not a usable"),
        ("https://example.com:8443/", "port 443"),
        ("https://example.com:80/", "port 443"),
        ("https://example.com:22/", "port 443"),
        ("https://example.com:0/", "port 443"),
        ("https://example.com:+443/", "spelt"),
        ("https://example.com:0443/", "port 443"),
        ("https://example.com:443:443/", ""),
        ("https://example.com:４４３0/", "port 443"),
        ("https://example.com:99999/", ""),
        ("https://8.8.8.8:53/", "port 443"),
        ("https://example.com/" + "x" * URL_CHARS, "characters"),
        ("file:///etc/passwd", "not a usable"),
        ("gopher://example.com/", "not an https"),
        ("", "not a usable"),
    ],
)
def test_any_other_url_is_refused(text: str, said: str) -> None:
    assert said in reason(text)


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/b", "https://example.com/b"),
        ("c?d", "https://example.com/a/c?d"),
        ("//other.test/x", "https://other.test/x"),
        ("https://other.test/x", "https://other.test/x"),
        ("?q", "https://example.com/a/?q"),
    ],
)
def test_a_redirect_is_read_from_where_it_came(location: str, found: str) -> None:
    assert str(judged(location, base=URL("https://example.com/a/"))) == found


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/",
        "//127.0.0.1/",
        "//user@example.com/",
        "///127.0.0.1/",
        "https:127.0.0.1",
        "\\\\127.0.0.1\\",
        "//example.com:8443/",
        "//localhost/",
        "https://[::1]/",
        "/\r\nx: y",
        "//[]@",
    ],
)
def test_a_redirect_is_judged_like_any_url(location: str) -> None:
    try:
        found = judged(location, base=URL("https://example.com/a/"))
    except RefusedUrlError:
        return
    assert found.host == "example.com", "it stayed where it was"


def test_where_everything_is_allowed_a_user_still_is_not() -> None:
    assert str(judged("http://127.0.0.1:9000/a", anywhere=True)) == "http://127.0.0.1:9000/a"
    assert "user" in reason("http://user@127.0.0.1:9000/a", anywhere=True)
    assert "not an https" in reason("ftp://127.0.0.1/a", anywhere=True)


@given(st.text(alphabet=st.sampled_from("aZ019.-_:/\\@%[]#?;!\t\n \x00é１。①ⓛ"), max_size=30))
def test_whatever_stands_after_the_slashes_what_is_asked_is_one_host_on_one_port(rest: str) -> None:
    """Against a reader of its own: what is admitted is a plain name or address up to the first slash."""
    try:
        url = judged(f"https://{rest}")
    except RefusedUrlError:
        return
    authority = str(url).removeprefix("https://").split("/")[0].split("?")[0].split("#")[0]
    host = authority.removesuffix(":443").removesuffix(":")
    assert url.port == 443
    assert host == url.raw_host or host == f"[{url.raw_host}]"
    assert host.isascii()
    assert not set(host) & set("@%\\ \t\n\x00;!")


_OCTETS = st.integers(0, 255).flatmap(
    lambda octet: st.sampled_from([f"{octet}", f"0{octet:o}", f"0x{octet:x}", f"0X{octet:X}", f"00{octet:o}"])
)
_SPELLINGS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6, network="2000::/3").map(lambda address: f"[{address}]"),
    st.lists(_OCTETS, min_size=1, max_size=5).map(".".join),
    st.integers(0, 2**33).map(str),
    st.integers(0, 2**33).map(hex),
    st.integers(0, 2**33).map(lambda number: f"0{number:o}"),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]"),
    st.integers(0, 2**32 - 1).map(lambda number: f"[::ffff:{ipaddress.IPv4Address(number)}]"),
    st.text("0123456789abcdefxX.:[]%", min_size=1, max_size=20),
)


@given(_SPELLINGS, st.sampled_from(["", "", "", "", "", ".", "..", "%00", "\u3002", "%2e"]), st.booleans())
def test_a_host_that_the_system_reads_as_an_address_is_admitted_as_a_public_one_only(
    host: str, tail: str, wide: bool
) -> None:
    """Against the system's own reader of addresses, which takes every spelling there is."""
    spelt = host.translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}) if wide else host
    try:
        admitted = judged(f"https://{spelt}{tail}/").raw_host
    except RefusedUrlError:
        return
    try:
        (found, *_) = socket.getaddrinfo(admitted, 443, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return
    assert is_public(str(found[4][0])), admitted
