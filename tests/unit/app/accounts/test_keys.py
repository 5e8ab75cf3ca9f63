"""Keys and loopback names: a near miss is a miss, and what can be read in two ways is refused."""

from __future__ import annotations

import pytest

from app.accounts.keys import AmbiguousHeaderError, Keys, from_this_machine, presented_key

KEYS = ("first-key", "second-key", "ключ")


@pytest.mark.parametrize("key", KEYS)
def test_each_of_the_keys_is_admitted(key: str) -> None:
    assert Keys(KEYS).admit(key)


@pytest.mark.parametrize(
    "guess",
    [None, "", "first-ke", "first-key ", "First-key", "first-keyy", "first-key,second-key", "\udcff", "x" * 100_000],
)
def test_a_near_miss_is_a_miss(guess: str | None) -> None:
    assert not Keys(KEYS).admit(guess)


def test_an_empty_set_of_keys_is_false_and_admits_nobody() -> None:
    assert not Keys([])
    assert not Keys([]).admit("")
    assert not Keys([]).admit("anything")
    assert not Keys([""]).admit("")
    assert Keys(["k"])


def test_keys_are_not_kept_and_not_shown() -> None:
    keys = Keys(KEYS)
    assert "first-key" not in repr(keys) + repr(vars(keys))


def test_equal_keys_have_other_digests_in_another_process() -> None:
    assert Keys(["k"])._digests != Keys(["k"])._digests


def pairs(**headers: str | bytes) -> list[tuple[bytes, bytes]]:
    return [
        (name.replace("_", "-").encode(), value.encode() if isinstance(value, str) else value)
        for name, value in headers.items()
    ]


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        (pairs(authorization="Bearer k1"), "k1"),
        (pairs(Authorization="bearer   k1  "), "k1"),
        (pairs(AUTHORIZATION="BEARER k1"), "k1"),
        (pairs(api_key="k2"), "k2"),
        (pairs(x_api_key=" k3 "), "k3"),
        (pairs(authorization="Bearer k1", api_key="k2", x_api_key="k3"), "k1"),
        (pairs(authorization="Basic dTpw", api_key="k2", x_api_key="k3"), "k2"),
        (pairs(authorization="Bearer ", x_api_key="k3"), "k3"),
        (pairs(authorization="Bearer ключ"), "ключ"),
        (pairs(authorization="Bearer a b"), "a b"),
        (pairs(authorization="k1"), None),
        (pairs(authorization="Bearer"), None),
        (pairs(authorization="Bearerk1"), None),
        (pairs(authorization="Token k1"), None),
        (pairs(api_key=" "), None),
        ([], None),
    ],
)
def test_the_key_a_request_carries(headers: list[tuple[bytes, bytes]], key: str | None) -> None:
    assert presented_key(headers) == key


def test_bytes_that_are_no_text_are_a_wrong_key_and_not_an_exception() -> None:
    presented = presented_key(pairs(authorization=b"Bearer \xff\xfe\x00"))
    assert presented is not None
    assert not Keys(KEYS).admit(presented)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "127.8.9.1:65535", "[::1]", "[::1]:8080"],
)
def test_a_request_to_a_loopback_name_is_from_this_machine(host: str) -> None:
    assert from_this_machine(pairs(Host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8080",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "evil.test@localhost",
        "localhost@evil.test",
        "localhost/",
        "localhost?.evil.test",
        "localhost#.evil.test",
        "0.0.0.0",
        "192.168.1.5",
        "[::]",
        "[::1",
        "::1]",
        "[::ffff:192.168.1.5]",
        "2130706433",
        "",
        " ",
        "\udcff",
    ],
)
def test_a_name_rebound_to_this_machine_is_refused(host: str) -> None:
    assert not from_this_machine(pairs(host=host.encode("utf-8", "surrogateescape")))


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        ("http://localhost", True),
        ("http://localhost:3000", True),
        ("https://127.0.0.1:8443", True),
        ("http://[::1]:8080", True),
        ("null", False),
        ("", False),
        ("https://evil.test", False),
        ("http://localhost.evil.test", False),
        ("http://localhost@evil.test", False),
        ("http://evil.test@localhost", False),
        ("http://[::1", False),
        ("localhost", False),
        ("file://", False),
        ("http://", False),
    ],
)
def test_a_page_from_elsewhere_is_refused_whatever_host_it_calls(origin: str, admitted: bool) -> None:
    assert from_this_machine(pairs(host="localhost:8080", origin=origin)) is admitted


def test_a_program_without_host_or_origin_is_from_this_machine() -> None:
    assert from_this_machine([])


@pytest.mark.parametrize("name", ["authorization", "Authorization", "api-key", "X-API-Key"])
@pytest.mark.parametrize("second", [b"Bearer other", b"Bearer k1", b""])
def test_a_key_that_came_twice_is_no_key(name: str, second: bytes) -> None:
    headers = [(b"accept", b"*/*"), (name.encode(), b"Bearer k1"), (name.lower().encode(), second)]
    with pytest.raises(AmbiguousHeaderError) as raised:
        presented_key(headers)
    assert raised.value.name == name.lower()
    assert "k1" not in repr(raised.value)


@pytest.mark.parametrize("name", ["host", "origin"])
def test_a_second_host_or_origin_does_not_hide_the_first(name: str) -> None:
    with pytest.raises(AmbiguousHeaderError):
        from_this_machine([(name.encode(), b"evil.test"), (name.title().encode(), b"localhost")])


def test_other_headers_may_come_as_often_as_they_like() -> None:
    assert presented_key([(b"accept", b"a"), (b"accept", b"b"), (b"api-key", b"k")]) == "k"
