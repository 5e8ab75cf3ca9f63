"""A provider whose certificate is not good is unreachable: nothing is sent or paid, and the next one delivers."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import Any

import pytest
import trustme

from simulator.server import create_app as create_simulator
from simulator.settings import SimulatorSettings
from tests.e2e.asking import ask, story
from tests.e2e.conftest import TIME_SCALE, StartGateway
from tests.servers import running

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
EXPIRED = {"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}


@pytest.mark.parametrize(
    ("host", "validity", "trusted", "good"),
    [
        ("localhost", {}, True, True),
        ("localhost", EXPIRED, True, False),
        ("elsewhere.test", {}, True, False),
        ("localhost", {}, False, False),
    ],
    ids=["good", "expired", "of another host", "of a stranger"],
)
@pytest.mark.parametrize("provider", ["gemini", "fal"])
def test_the_next_provider_delivers(
    start: StartGateway,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    host: str,
    validity: Any,
    trusted: bool,
    good: bool,
) -> None:
    authority, serving = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, **validity).configure_cert(serving)
    calling = ssl.create_default_context()
    (authority if trusted else trustme.CA()).configure_trust(calling)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", calling)  # the system's authorities, for this test
    with running(create_simulator(SimulatorSettings(seed=1, time_scale=TIME_SCALE)), tls=serving) as secure:
        base = f"{secure.replace('127.0.0.1', 'localhost')}/{provider}"
        response = ask(start(cheapest=provider, vendor_keys={f"{provider}_base_url": base}))
    assert response.status_code == 200, response.text[:600]
    told = story(response)
    if good:
        assert told == [(provider, "ok", "charged")]
        return
    assert told[0] == (provider, "unreachable", "none")
    assert told[-1][0] != provider
    assert told[-1][1:] == ("ok", "charged")
    assert [spend for *_, spend in told].count("charged") == 1
