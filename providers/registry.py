"""Registry: the providers there are, and how each is set up from the operator's environment. One line per provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.converse import Provider
from providers.credentials import CredentialUnavailableError, StaticKey
from providers.fal import inputs as fal
from providers.fal.adapter import FalAdapter
from providers.gemini.adapter import GeminiAdapter
from providers.google_dialect import options as google
from providers.replicate import inputs as replicate
from providers.replicate.adapter import ReplicateAdapter
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
    schemas: frozenset[str]
    connect: Callable[[Access], Provider]
    reserved_options: frozenset[str]


def _gemini(access: Access) -> Provider:
    adapter = GeminiAdapter(access.base_url) if access.base_url else GeminiAdapter()
    return Provider(adapter, StaticKey("x-goog-api-key", _key(access)))


def _vertex(access: Access) -> Provider:
    # An express key works on the URLs without project and location only, so it decides over a project.
    if access.api_key:
        express = VertexAdapter(access.base_url or default_base_url(), project=None)
        return Provider(express, StaticKey("x-goog-api-key", access.api_key))
    from providers.google_token import google_token_from_environment, google_token_from_file  # said there why here

    if access.credentials_file:
        token, own_project = google_token_from_file(access.credentials_file)
    else:
        token, own_project = google_token_from_environment()
    project = access.project or own_project
    if project is None:
        raise CredentialUnavailableError("the Google credentials name no project", temporary=False)
    try:
        base_url = access.base_url or default_base_url(access.location)
    except ValueError as wrong:
        raise CredentialUnavailableError(str(wrong), temporary=False) from None
    return Provider(VertexAdapter(base_url, project=project, location=access.location), token)


def _fal(access: Access) -> Provider:
    adapter = FalAdapter(access.base_url) if access.base_url else FalAdapter()
    return Provider(adapter, StaticKey("Authorization", _key(access), scheme="Key"))


def _replicate(access: Access) -> Provider:
    adapter = ReplicateAdapter(access.base_url) if access.base_url else ReplicateAdapter()
    return Provider(adapter, StaticKey("Authorization", _key(access), scheme="Bearer"))


def _key(access: Access) -> str:
    if not access.api_key:
        raise CredentialUnavailableError("its key is not set", temporary=False)
    return access.api_key


_REGISTRY: Mapping[str, _Entry] = MappingProxyType(
    {
        "gemini": _Entry(GeminiAdapter.schemas, _gemini, google.RESERVED_OPTIONS),
        "vertex": _Entry(VertexAdapter.schemas, _vertex, google.RESERVED_OPTIONS),
        "fal": _Entry(FalAdapter.schemas, _fal, fal.RESERVED_OPTIONS),
        "replicate": _Entry(ReplicateAdapter.schemas, _replicate, replicate.RESERVED_OPTIONS),
    }
)

PROVIDERS: tuple[str, ...] = tuple(_REGISTRY)
"""Names of all providers, in the order in which they are listed to people."""


def schemas() -> Mapping[str, frozenset[str]]:
    """Input schemas each provider's adapter speaks. Needs no key."""
    return {name: entry.schemas for name, entry in _REGISTRY.items()}


def reserved_options() -> Mapping[str, frozenset[str]]:
    """Fields of each provider's body that a caller's ``provider_options`` may not set, as dotted paths. What lies below
    one is reserved with it. An adapter refuses them too, before its first call. Needs no key."""
    return {name: entry.reserved_options for name, entry in _REGISTRY.items()}


def connect(name: str, access: Access) -> Provider:
    """The provider, ready to be called.

    Reads a credentials file, or asks the metadata server: call it at start-up, never on the request path. Raises
    CredentialUnavailableError when what the operator set cannot be used.
    """
    return _REGISTRY[name].connect(access)
