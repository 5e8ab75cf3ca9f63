"""Google access tokens: cached, refreshed early by one task for all who wait, refreshed once by force when a vendor
answers 401. No repr, error or log line here holds a secret.

Google's library and the HTTP library under it take 15 MB and a tenth of a second to load, so this module is imported
only where there is a Google identity.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import warnings
from collections.abc import Mapping
from functools import partial

import google.auth
import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests

from providers.credentials import CredentialUnavailableError

GOOGLE_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
REFRESH_EARLY_S = 300.0
"""Seconds before expiry at which a token is refreshed. google-auth itself waits until 225 s."""
EARLY_PAUSE_S = 30.0
"""Seconds between two early refreshes. A metadata server hands out its old token until four minutes before expiry, and
a token server that is down shall not be asked with every request."""
TOKEN_TIMEOUT_S = 10.0
"""Longest silence of a token server; it usually answers within a fifth of a second. google-auth's own is 120 s, during
which every request would wait for the same dead refresh."""


class GoogleToken:
    """Access tokens of one Google identity. All waiters share one refresh, which runs in a worker thread."""

    def __init__(self, credentials: google.auth.credentials.Credentials) -> None:
        self._credentials = credentials
        self._refresh: asyncio.Task[None] | None = None
        self._not_early_before = 0.0

    async def headers(self) -> Mapping[str, str]:
        """Authorization, and the quota project where the identity has one. Raises CredentialUnavailableError."""
        left = self._seconds_left()
        if left <= 0:
            await self._refreshed()
        elif left < REFRESH_EARLY_S and (now := asyncio.get_running_loop().time()) >= self._not_early_before:
            self._not_early_before = now + EARLY_PAUSE_S
            self._start_refresh()  # nobody waits for it
        headers = {"Authorization": f"Bearer {self._credentials.token}"}
        quota_project = getattr(self._credentials, "quota_project_id", None)
        if quota_project:
            headers["x-goog-user-project"] = quota_project
        return headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Refresh by force, unless somebody else already did since the refused headers were made.

        False when the refresh brought the refused token again, as a metadata server's may. Raises
        CredentialUnavailableError when it failed.
        """
        if self._is_current(refused):
            await self._refreshed()
        return not self._is_current(refused)

    def _is_current(self, headers: Mapping[str, str]) -> bool:
        return headers.get("Authorization") == f"Bearer {self._credentials.token}"

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
        request = partial(google.auth.transport.requests.Request(), timeout=TOKEN_TIMEOUT_S)
        try:
            self._credentials.refresh(request)  # type: ignore[no-untyped-call]
        except Exception as failed:  # noqa: BLE001 - a reply of unexpected shape fails as Python fails
            kind, temporary = type(failed).__name__, _temporary(failed)
        else:
            return
        # Raised out here, so that the library's error is not its context: that one's text may hold an assertion or a
        # token. Only its kind is told.
        raise CredentialUnavailableError(f"no Google access token ({kind})", temporary=temporary)

    def __repr__(self) -> str:
        return "GoogleToken()"


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def _temporary(failed: Exception) -> bool:
    """Whether asking again later may help. Only a refusal in OAuth's own words (RFC 6749, section 5.2) is final."""
    if not isinstance(failed, google.auth.exceptions.GoogleAuthError):
        return True  # a reply nobody could read
    if isinstance(failed, google.auth.exceptions.TransportError) or failed.retryable:
        return True
    # What is neither: the empty or HTML page of some 502 on the way, which google-auth takes for a refusal.
    text = failed.args[0] if failed.args else ""
    return isinstance(text, str) and text.lstrip()[:1] in {"", "<"}


def google_token_from_file(path: str) -> tuple[GoogleToken, str | None]:
    """A service-account (or other google-auth) file's identity and its project. Raises CredentialUnavailableError."""
    try:
        with warnings.catch_warnings():
            # It warns of files from elsewhere. This one is the operator's own, and may be of any kind.
            warnings.simplefilter("ignore", DeprecationWarning)
            credentials, project = google.auth.load_credentials_from_file(path, scopes=GOOGLE_SCOPES)  # type: ignore[no-untyped-call]
    except Exception as failed:  # noqa: BLE001 - a file of unexpected shape fails as Python fails
        kind = type(failed).__name__
    else:
        return GoogleToken(credentials), project
    # Raised out here: the library's error may quote the file, which holds the private key.
    raise CredentialUnavailableError(f"the Google credentials file cannot be used ({kind})", temporary=False)


def google_token_from_environment() -> tuple[GoogleToken, str | None]:
    """Application Default Credentials. May ask the metadata server: call it at start-up, in a thread, never later.

    Raises CredentialUnavailableError when the environment offers none.
    """
    try:
        credentials, project = google.auth.default(scopes=GOOGLE_SCOPES)
    except Exception as failed:  # noqa: BLE001 - as above
        kind = type(failed).__name__
    else:
        return GoogleToken(credentials), project
    raise CredentialUnavailableError(f"no Application Default Credentials ({kind})", temporary=False)
