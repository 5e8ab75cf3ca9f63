"""Adapter: a vendor's protocol as a conversation. It speaks; it does not act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from providers.spec.conversation import Conversation
from providers.spec.request import ImageRequest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is reached, and which other hosts its replies may point to. Data; holds no secret."""

    provider: str
    base_url: str
    """Everything before the version path; a path prefix is kept. No trailing slash."""
    media_hosts: frozenset[str] = frozenset()
    """Hosts results may be downloaded from, and files handed to, without credentials. ``.example.com`` also allows its
    subdomains."""
    also: frozenset[str] = frozenset()
    """Base URLs of the vendor's further services, from configuration like ``base_url``: the credential goes to their
    origins as well. They are called by absolute URL."""


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """One vendor's version of a model, as configuration names it."""

    id: str
    """The vendor's id for text-to-image, for example ``fal-ai/nano-banana-2``."""
    schema: str
    """Which of the adapter's input schemas the vendor's model speaks; one of ``Adapter.schemas``."""
    edit_id: str | None = None
    """The vendor's id for image-with-references, where it differs."""


class Adapter(Protocol):
    """One per provider. Holds no state between conversations."""

    @property
    def name(self) -> str:
        """The provider's name, as in configuration and in the caller's pin (``fal/...``)."""

    @property
    def endpoint(self) -> Endpoint:
        """Where its calls go."""

    @property
    def schemas(self) -> frozenset[str]:
        """Input schemas this adapter can speak; configuration may name no other."""

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        """Start the conversation that makes this image. Raises nothing before the first ``next``."""
