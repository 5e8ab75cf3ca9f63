"""Registry: the providers there are, and how each is set up from the operator's environment. One line per provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.converse import Provider
from providers.credentials import (
    Credential,
    CredentialUnavailableError,
    StaticKey,
    google_token_from_environment,
    google_token_from_file,
)
from providers.fal.adapter import FalAdapter
from providers.gemini.adapter import GeminiAdapter
from providers.replicate.adapter import ReplicateAdapter
from providers.spec.adapter import Adapter
from providers.vertex.adapter import VertexAdapter, default_base_url


@dataclass(frozen=True, slots=True)
class Access:
    """How the operator reaches one provider. ``None`` or empty: not set."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    project: str | None = None
    """Google Cloud project; Vertex AI only, as are the next two."""
    location: str = "global"
    credentials_file: str | None = None

    @property
    def given(self) -> bool:
        """Whether the operator set anything that authorises."""
        return bool(self.api_key or self.credentials_file or self.project)


@dataclass(frozen=True, slots=True)
class _Entry:
    adapter: Callable[[Access], Adapter]
    credential: Callable[[Access], Credential]


def _vertex_adapter(access: Access) -> Adapter:
    # An express key works on the location-less URLs only, so it decides over a project.
    project = None if access.api_key else access.project
    return VertexAdapter(
        access.base_url or default_base_url(access.location if project else "global"),
        project=project,
        location=access.location,
    )


def _vertex_credential(access: Access) -> Credential:
    if access.api_key:
        return StaticKey("x-goog-api-key", access.api_key)
    if access.credentials_file:
        return google_token_from_file(access.credentials_file)[0]
    return google_token_from_environment()[0]


_REGISTRY: Mapping[str, _Entry] = MappingProxyType(
    {
        "gemini": _Entry(
            lambda access: GeminiAdapter(access.base_url) if access.base_url else GeminiAdapter(),
            lambda access: StaticKey("x-goog-api-key", access.api_key or ""),
        ),
        "vertex": _Entry(_vertex_adapter, _vertex_credential),
        "fal": _Entry(
            lambda access: FalAdapter(access.base_url) if access.base_url else FalAdapter(),
            lambda access: StaticKey("Authorization", access.api_key or "", scheme="Key"),
        ),
        "replicate": _Entry(
            lambda access: ReplicateAdapter(access.base_url) if access.base_url else ReplicateAdapter(),
            lambda access: StaticKey("Authorization", access.api_key or "", scheme="Bearer"),
        ),
    }
)

PROVIDERS: tuple[str, ...] = tuple(_REGISTRY)
"""Names of all providers, in the order in which they are listed to people."""


def schemas() -> Mapping[str, frozenset[str]]:
    """Input schemas each provider's adapter speaks. Needs no key."""
    return {name: entry.adapter(Access(project="-")).schemas for name, entry in _REGISTRY.items()}


def connect(name: str, access: Access) -> Provider:
    """The provider, ready to be called.

    Reads a credentials file, or asks the metadata server: call it at start-up, in a thread. Raises
    CredentialUnavailableError when what the operator set cannot be used.
    """
    if name == "vertex" and not access.api_key and not access.project:
        raise CredentialUnavailableError("GOOGLE_CLOUD_PROJECT is not set", temporary=False)
    entry = _REGISTRY[name]
    return Provider(entry.adapter(access), entry.credential(access))
