"""Names: every string by which a model can be called, and what it means; and the suffixes that name a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from app.catalog.models import PublicModel
from providers.spec.request import Resolution

SHORT_SUFFIXES: Mapping[str, str] = {"floor": "cheapest", "nitro": "fastest"}
"""OpenRouter's suffixes, which its users know, and the routing policies they stand for."""


class Meaning(NamedTuple):
    """What a name stands for: a model, and the resolution its suffix names."""

    model: str
    resolution: Resolution | None = None


def suffixed(name: str, resolution: Resolution) -> str:
    """The name that also asks for a resolution: ``nano-banana-2`` at 4K is ``nano-banana-2-4k``."""
    return f"{name}-{resolution.value.lower()}"


def names_of(model: PublicModel) -> Iterator[tuple[str, Meaning]]:
    """Each name of the model: its own, its aliases, and these with the suffix of a resolution not the default."""
    for name in (model.name, *model.aliases):
        yield name, Meaning(model.name)
        for resolution in model.resolutions:
            if resolution is not model.default_resolution:
                yield suffixed(name, resolution), Meaning(model.name, resolution)


def parted(name: str) -> tuple[str, str | None]:
    """The name and what stands behind its last colon; no name of a model holds one. None: there is no colon."""
    bare, colon, suffix = name.rpartition(":")
    return (bare, suffix) if colon else (name, None)


def policy_suffixes(policies: Iterable[str]) -> Mapping[str, str]:
    """What may stand behind the colon, and the policy it means: the short suffixes, and each policy by its own name."""
    return {**SHORT_SUFFIXES, **{name: name for name in policies}}
