"""Credentials: what is added to a request on the vendor's configured origin, and nowhere else.

No repr, error or log line here holds a secret. ``google_token`` has the one that changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


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
        """Called after a 401 on ``refused``: whether other headers can be had now. Raises CredentialUnavailableError
        when that could not be learnt."""


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
