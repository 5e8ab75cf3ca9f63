"""Google access tokens from a real token endpoint: shared, early, renewed by force, and never shown."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers.credentials import CredentialUnavailableError, StaticKey
from providers.google_token import GoogleToken, google_token_from_environment, google_token_from_file
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall
from providers.transport import Transport
from tests.integration.providers.loopback import Handler, Loopback, Peer, Seen, answers, loopback, texts_of

CANARY = "ya29.canary-token"


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def token_server(lifetime_s: float = 3600.0) -> Handler:
    """Gives a new token each time: ``...-1``, ``...-2``."""
    given = 0

    async def give(seen: Seen, peer: Peer) -> None:
        nonlocal given
        given += 1
        await peer.json({"access_token": f"{CANARY}-{given}", "expires_in": lifetime_s, "token_type": "Bearer"})

    return give


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback(token_server()) as running:
        yield running


@pytest.fixture
def key_file(tmp_path: Path, server: Loopback, private_key: str) -> Path:
    path = tmp_path / "service-account.json"
    document = {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": private_key,
        "client_email": "gateway@a-project.iam.gserviceaccount.com",
        "token_uri": f"{server.base_url}/token",
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def token(key_file: Path) -> GoogleToken:
    made, project = google_token_from_file(str(key_file))
    assert project == "a-project"
    return made


def expires_in(token: GoogleToken, seconds: float) -> None:
    """Move the clock instead of waiting for it."""
    token._credentials.expiry = dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(seconds=seconds)


def bearer(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {CANARY}-{number}"}


async def test_a_service_account_signs_for_its_token_and_the_token_is_kept(
    token: GoogleToken, server: Loopback
) -> None:
    for _ in range(5):
        assert await token.headers() == bearer(1)
    (seen,) = server.requests
    assert (seen.method, seen.target) == ("POST", "/token")
    form = parse_qs(seen.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert form["assertion"][0].count(".") == 2


async def test_fifty_waiters_share_one_refresh(token: GoogleToken, server: Loopback) -> None:
    got = await asyncio.gather(*(token.headers() for _ in range(50)))
    assert got == [bearer(1)] * 50
    assert len(server.requests) == 1


async def test_a_waiter_that_leaves_does_not_take_the_refresh_with_it(token: GoogleToken, server: Loopback) -> None:
    release = asyncio.Event()
    give = token_server()

    async def held(seen: Seen, peer: Peer) -> None:
        await release.wait()
        await give(seen, peer)

    server.handler = held
    leaving, staying = asyncio.create_task(token.headers()), asyncio.create_task(token.headers())
    await server.arrived("POST /token")
    leaving.cancel()
    release.set()
    assert await staying == bearer(1)
    assert len(server.requests) == 1
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_token_near_its_end_is_refreshed_in_the_background_and_nobody_waits(
    token: GoogleToken, server: Loopback
) -> None:
    await token.headers()
    expires_in(token, 200)
    assert await asyncio.gather(*(token.headers() for _ in range(20))) == [bearer(1)] * 20
    await refreshed(token)
    assert await token.headers() == bearer(2)
    assert len(server.requests) == 2


async def test_an_early_refresh_that_fails_harms_nobody_and_is_not_repeated_with_every_request(
    token: GoogleToken, server: Loopback
) -> None:
    await token.headers()
    server.handler = refuse
    expires_in(token, 200)
    for _ in range(10):
        assert await token.headers() == bearer(1)
        await refreshed(token)
    assert len(server.requests) == 2


async def test_a_token_whose_time_is_up_is_waited_for(token: GoogleToken, server: Loopback) -> None:
    await token.headers()
    expires_in(token, -1)
    assert await token.headers() == bearer(2)


async def test_a_refused_token_is_renewed_once_for_all_who_were_refused(token: GoogleToken, server: Loopback) -> None:
    refused = await token.headers()
    assert await asyncio.gather(*(token.renew(refused) for _ in range(20))) == [True] * 20
    assert await token.headers() == bearer(2)
    assert await token.renew(refused) is True
    assert len(server.requests) == 2


async def test_a_renewal_that_brings_the_same_token_is_none(token: GoogleToken, server: Loopback) -> None:
    async def same(seen: Seen, peer: Peer) -> None:
        await peer.json({"access_token": CANARY, "expires_in": 3600})

    server.handler = same
    assert await token.renew(await token.headers()) is False


async def test_a_vendors_401_renews_the_token_and_the_call_succeeds(token: GoogleToken) -> None:
    async def vendor(seen: Seen, peer: Peer) -> None:
        await peer.json({}, 200 if seen.headers["authorization"].endswith("-2") else 401)

    transport = Transport()
    async with loopback(vendor) as api:
        reply = await transport.send(HttpCall("POST", "/v1/x", body=(b"{}",)), Endpoint("v", api.base_url), token)
        assert reply.status == 200
        assert len(api.requests) == 2
        await transport.close()


async def refreshed(token: GoogleToken) -> None:
    """Wait for a refresh under way, whether it goes well or not."""
    if token._refresh is not None:
        await asyncio.wait({token._refresh})


async def refuse(seen: Seen, peer: Peer) -> None:
    await peer.json({"error": "invalid_grant", "error_description": f"bad {seen.body.decode()}"}, 400)


async def reset(seen: Seen, peer: Peer) -> None:
    peer.reset()


async def bad_gateway(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"<html>" + seen.body, 502)


async def nothing_at_all(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"", 502)


async def page_instead(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"<html>please log in</html>")


async def odd_lifetime(seen: Seen, peer: Peer) -> None:
    await peer.json({"access_token": f"{CANARY}-odd", "expires_in": "soon"})


async def busy(seen: Seen, peer: Peer) -> None:
    await peer.json({"error": "internal_failure"}, 503)


@pytest.mark.parametrize(
    ("failing", "temporary"),
    [
        (refuse, False),
        (reset, True),
        (bad_gateway, True),
        (nothing_at_all, True),
        (page_instead, True),
        (odd_lifetime, True),
        pytest.param(busy, True, marks=pytest.mark.slow),  # google-auth itself tries three times, seconds apart
    ],
)
async def test_a_failing_token_endpoint_is_told_without_any_secret(
    token: GoogleToken, server: Loopback, private_key: str, failing: Handler, temporary: bool
) -> None:
    server.handler = failing
    with pytest.raises(CredentialUnavailableError) as raised:
        await token.headers()
    assert raised.value.temporary is temporary
    shown = texts_of(raised.value) + "".join(traceback.format_exception(raised.value))
    assertion = parse_qs(server.requests[0].body.decode())["assertion"][0]
    for secret in (CANARY, assertion, assertion.split(".")[2], private_key[40:80]):
        assert secret not in shown


async def test_an_unreachable_token_endpoint_is_a_temporary_failure(token: GoogleToken, server: Loopback) -> None:
    server.handler = answers(reset, token_server())
    with pytest.raises(CredentialUnavailableError):
        await token.headers()
    assert await token.headers() == bearer(1)


async def test_no_credential_shows_a_secret(token: GoogleToken) -> None:
    await token.headers()
    for shown in (repr(token), str(token), repr([token]), repr(StaticKey("Authorization", CANARY, scheme="Key"))):
        assert CANARY not in shown


async def test_a_static_key_is_never_renewed() -> None:
    assert await StaticKey("x-goog-api-key", "k").headers() == {"x-goog-api-key": "k"}
    key = StaticKey("Authorization", "k", scheme="Key")
    assert await key.headers() == {"Authorization": "Key k"}
    assert await key.renew(await key.headers()) is False


def missing(path: Path) -> None:
    path.unlink()


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        missing,
        directory,
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("null"),
        lambda path: path.write_text("{}"),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text(path.read_text().replace("PRIVATE KEY", "PRIVATE KEYS")),
        lambda path: path.write_text('{"type": "impersonated_service_account"}'),
    ],
)
async def test_a_credentials_file_that_cannot_be_used_is_told_without_its_content(
    key_file: Path, private_key: str, spoil: Callable[[Path], object]
) -> None:
    spoil(key_file)
    with pytest.raises(CredentialUnavailableError) as raised:
        google_token_from_file(str(key_file))
    assert raised.value.temporary is False
    assert private_key[40:80] not in texts_of(raised.value)


async def test_the_environments_credentials_may_name_a_file(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    made, project = google_token_from_environment()
    assert (project, await made.headers()) == ("a-project", bearer(1))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file / "missing"))
    with pytest.raises(CredentialUnavailableError):
        google_token_from_environment()
