"""Credentials: what is added to a request on the vendor's configured origin, and nowhere else.

Static keys, and Google access tokens: cached, refreshed early by one task for all who wait, refreshed once by force
when a vendor answers 401. No repr, error or log line here holds a secret.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Protocol

import google.auth
import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests

GOOGLE_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
REFRESH_EARLY_S = 300.0
"""Seconds before expiry at which a token is refreshed. google-auth itself waits until 225 s."""


class CredentialUnavailableError(Exception):
    """No credential could be had. ``temporary``: asking again later may help (the token server was out of reach)."""

    def __init__(self, reason: str, *, temporary: bool) -> None:
        super().__init__(reason)
        self.temporary = temporary


class Credential(Protocol):
    """Headers that authorise a request."""

    async def headers(self) -> Mapping[str, str]:
        """Headers to add. Raises CredentialUnavailableError."""

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Called after a 401 on ``refused``: whether other headers can be had now."""


class StaticKey:
    """One header that never changes, for example ``Authorization: Key ...``."""

    def __init__(self, header: str, secret: str, *, scheme: str = "") -> None:
        self._headers = {header: f"{scheme} {secret}" if scheme else secret}
        self._header = header

    async def headers(self) -> Mapping[str, str]:
        """The header."""
        return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - part of the protocol
        """Never: a refused key stays refused."""
        return False

    def __repr__(self) -> str:
        return f"StaticKey({self._header})"


class GoogleToken:
    """Access tokens of one Google identity. All waiters share one refresh, which runs in a worker thread."""

    def __init__(self, credentials: google.auth.credentials.Credentials) -> None:
        self._credentials = credentials
        self._refresh: asyncio.Task[None] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Authorization, and the quota project where the identity has one. Raises CredentialUnavailableError."""
        left = self._seconds_left()
        if left <= 0:
            await self._refreshed()
        elif left < REFRESH_EARLY_S:
            self._start_refresh()  # early: nobody waits for it
        headers = {"Authorization": f"Bearer {self._credentials.token}"}
        quota_project = getattr(self._credentials, "quota_project_id", None)
        if quota_project:
            headers["x-goog-user-project"] = quota_project
        return headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Refresh by force, unless somebody else already did since the refused headers were made."""
        if refused.get("Authorization") == f"Bearer {self._credentials.token}":
            await self._refreshed()
        return True

    def _seconds_left(self) -> float:
        expiry: dt.datetime | None = self._credentials.expiry
        if not self._credentials.token:
            return 0.0
        if expiry is None:
            return REFRESH_EARLY_S
        return (expiry.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()

    def _start_refresh(self) -> asyncio.Task[None]:
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(asyncio.to_thread(self._refresh_now))
            self._refresh.add_done_callback(_seen)
        return self._refresh

    async def _refreshed(self) -> None:
        await asyncio.shield(self._start_refresh())

    def _refresh_now(self) -> None:
        try:
            self._credentials.refresh(google.auth.transport.requests.Request())  # type: ignore[no-untyped-call]
        except google.auth.exceptions.GoogleAuthError as failed:
            temporary = isinstance(failed, google.auth.exceptions.TransportError) or bool(
                getattr(failed, "retryable", False)
            )
            # The vendor's text may hold an assertion or a token: only the kind of error is told.
            raise CredentialUnavailableError(
                f"no Google access token ({type(failed).__name__})", temporary=temporary
            ) from None

    def __repr__(self) -> str:
        return "GoogleToken()"


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def google_token_from_file(path: str) -> tuple[GoogleToken, str | None]:
    """A service-account (or other google-auth) file's identity and its project. Raises CredentialUnavailableError."""
    try:
        credentials, project = google.auth.load_credentials_from_file(path, scopes=GOOGLE_SCOPES)  # type: ignore[no-untyped-call]
    except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as failed:
        raise CredentialUnavailableError(
            f"the Google credentials file cannot be used ({type(failed).__name__})", temporary=False
        ) from None
    return GoogleToken(credentials), project


def google_token_from_environment() -> tuple[GoogleToken, str | None]:
    """Application Default Credentials. May ask the metadata server: call it at start-up, in a thread, never later.

    Raises CredentialUnavailableError when the environment offers none.
    """
    try:
        credentials, project = google.auth.default(scopes=GOOGLE_SCOPES)
    except google.auth.exceptions.GoogleAuthError as failed:
        raise CredentialUnavailableError(
            f"no Application Default Credentials ({type(failed).__name__})", temporary=False
        ) from None
    return GoogleToken(credentials), project
