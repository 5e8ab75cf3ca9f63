"""Which addresses are public, against lists and arithmetic that know nothing of the code's own."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.addresses import is_address, is_public

FIRST_AND_LAST_4 = """
0.0.0.0         0.255.255.255
10.0.0.0        10.255.255.255
100.64.0.0      100.127.255.255
127.0.0.0       127.255.255.255
168.63.129.16   168.63.129.16
169.254.0.0     169.254.255.255
172.16.0.0      172.31.255.255
192.0.0.0       192.0.0.255
192.0.2.0       192.0.2.255
192.31.196.0    192.31.196.255
192.52.193.0    192.52.193.255
192.88.99.0     192.88.99.255
192.168.0.0     192.168.255.255
192.175.48.0    192.175.48.255
198.18.0.0      198.19.255.255
198.51.100.0    198.51.100.255
203.0.113.0     203.0.113.255
224.0.0.0       255.255.255.255
"""
"""Taken down from IANA's registry by first and last address, not by prefix."""
_ENDS_4 = [int.from_bytes(socket.inet_aton(end)) for end in FIRST_AND_LAST_4.split()]
RANGES_4 = list(zip(_ENDS_4[::2], _ENDS_4[1::2], strict=True))


def reference_4(number: int) -> bool:
    return not any(first <= number <= last for first, last in RANGES_4)


def reference_6(text: str) -> bool:
    """By the bits, as the address architecture draws them."""
    bits = f"{int.from_bytes(socket.inet_pton(socket.AF_INET6, text)):0128b}"
    if not bits.startswith("001"):
        return False
    first, second = int(bits[:16], 2), int(bits[16:32], 2)
    special = (
        (first == 0x2001 and second < 0x0200)
        or (first == 0x2001 and second == 0x0DB8)
        or first == 0x2002
        or (first == 0x3FFF and second < 0x1000)
        or (first == 0x2620 and second == 0x004F and bits[32:48] == f"{0x8000:016b}")
    )
    return not special


EDGES_4 = sorted({end + step for end in _ENDS_4 for step in (-1, 0, 1) if 0 <= end + step < 2**32})


@pytest.mark.parametrize("number", EDGES_4)
def test_the_ends_of_every_range(number: int) -> None:
    assert is_public(socket.inet_ntoa(number.to_bytes(4))) is reference_4(number)


@given(st.one_of(st.integers(0, 2**32 - 1), st.sampled_from(EDGES_4)))
@example(int.from_bytes(socket.inet_aton("169.254.169.254")))
def test_any_ipv4_address(number: int) -> None:
    text = socket.inet_ntoa(number.to_bytes(4))
    assert is_public(text) is reference_4(number)
    if not ipaddress.ip_address(text).is_global or ipaddress.ip_address(text).is_multicast:
        assert not is_public(text), "Python's own list says so, too"


_PREFIXES = [
    "fc",
    "fd00:0ec2",
    "fe8",
    "fec",
    "ff0",
    "2",
    "3",
    "2001:",
    "2001:0000",
    "2001:0db8",
    "2002:",
    "2620:004f:8000",
    "3fff:0",
    "3fff:1",
    "0064:ff9b:",
    "0064:ff9b:0001",
    "0100:",
    "5f00:",
    "0000:0000:0000:0000:0000:ffff",
    "0000:0000:0000:0000:0000:0000",
]


@given(st.sampled_from(_PREFIXES), st.text("0123456789abcdef", min_size=32, max_size=32))
@example("2001:0004", "0" * 32)
def test_any_ipv6_address_above_all_near_the_borders(prefix: str, rest: str) -> None:
    digits = prefix.replace(":", "")
    digits += rest[len(digits) :]
    text = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
    assert is_public(text) is reference_6(text)
    if not ipaddress.ip_address(text).is_global or ipaddress.ip_address(text).is_multicast:
        assert not is_public(text), "Python's own list says so, too"
    assert not is_public(f"{text}%eth0")


@given(st.integers(0, 2**32 - 1))
def test_no_address_inside_another_is_public_whatever_it_stands_for(number: int) -> None:
    for prefix in (0xFFFF << 32, 0, 0x64FF9B << 96, 0x64FF9B0001 << 80):
        assert not is_public(str(ipaddress.IPv6Address(prefix | number)))
    assert not is_public(str(ipaddress.IPv6Address(0x2002 << 112 | number << 80)))  # 6to4
    assert not is_public(str(ipaddress.IPv6Address(0x2001 << 112 | number ^ 0xFFFFFFFF)))  # Teredo
    assert not is_public(str(ipaddress.IPv6Address(0x2001 << 112 | number << 64)))  # a Teredo server


@given(st.text(max_size=20))
def test_what_is_no_address_is_not_public(text: str) -> None:
    if not is_address(text):
        assert not is_public(text)


@pytest.mark.parametrize(
    "text",
    ["127.1", "0x7f.0.0.1", "0177.0.0.1", "134744072", "8.8.8.8 ", "[::1]", "8.8.8.8.", "8.8.8.8/32", "", "１.1.1.1"],
)
def test_odd_spellings_are_no_addresses_of_the_internet(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192"],
)
def test_where_clouds_keep_metadata_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_a_public_address_is_known(text: str) -> None:
    assert is_public(text)
