"""The catalogue has every fault at every vendor that can show it, and names are told apart."""

from __future__ import annotations

import pytest

from benchmarks.chaos import deeds
from benchmarks.chaos.catalogue import CASES, SHORT, named
from simulator.faults import Kind, able
from simulator.vendors import Vendor


def test_every_fault_of_the_simulator_is_there_at_every_vendor_that_can_show_it() -> None:
    done = {(each.deed.provider, each.deed.kind) for each in CASES if isinstance(each.deed, deeds.VendorFails)}
    assert {(vendor.value, kind.value) for kind in Kind for vendor in able(kind)} <= done


def test_every_deed_there_is_is_done() -> None:
    done = {type(each.deed) for each in CASES}
    written = {each for each in vars(deeds).values() if isinstance(each, type) and hasattr(each, "begin")}
    assert written - {deeds.Deed} == done


def test_names_are_told_apart_and_the_short_form_names_real_ones() -> None:
    names = [each.name for each in CASES]
    assert len(set(names)) == len(names)
    assert tuple(each.name for each in named(SHORT)) == SHORT
    with pytest.raises(KeyError):
        named(("no such case",))


def test_connections_are_reset_at_every_vendor() -> None:
    assert {each.through for each in CASES if isinstance(each.deed, deeds.ConnectionsReset)} == {
        v.value for v in Vendor
    }


def test_what_a_deed_needs_is_there() -> None:
    for each in CASES:
        warped = isinstance(each.deed, deeds.NamesGone | deeds.ClockJumps)
        between = isinstance(each.deed, deeds.ConnectionsReset | deeds.CertificateExpired | deeds.NamesGone)
        assert (each.warped, bool(each.through)) == (warped, between)
        assert each.tls is isinstance(each.deed, deeds.CertificateExpired)
