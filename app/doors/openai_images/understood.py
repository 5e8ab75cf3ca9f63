"""Understood: what a body asks for besides its prompt, understood once for all bodies that ask for the same.

Programs send one set of fields with ten thousand prompts, and understanding it costs as much as asking a vendor does.
Only short values of fields that have few are kept: no prompt, and nothing that says who asks.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from app.catalog.models import PublicModel
from app.doors.openai_images.schema import HARMLESS_NAMES, MAX_PROMPT_CHARS
from app.gateway import Choice
from providers.spec.request import ImageRequest
from providers.spec.result import Warning
from routing.offers import Offer
from routing.wishes import RouteWishes

_LONGEST = 64
"""Characters of a value; no name of a model or size has as many."""
_FEW = frozenset(
    {
        "model", "n", "size", "aspect_ratio", "aspectRatio", "resolution", "image_size", "imageSize", "quality",
        "response_format", "output_format", "output_compression", "background", "moderation", "stream",
        "partial_images", "timeout",
    }
)  # fmt: skip
"""Fields whose values come again and again. A body with any other is understood anew."""
_ASIDE = frozenset({"prompt", *HARMLESS_NAMES})
"""Fields that do not change what the others ask for."""
_SCALARS = frozenset({int, float, bool, type(None)})
_BUT_PROMPT = tuple(each.name for each in fields(ImageRequest) if each.name != "prompt")

Gist = tuple[Hashable, ...]
"""What a body says besides its prompt."""


def gist_of(document: Mapping[str, Any]) -> Gist | None:
    """The gist of a body; None for one that is to be understood anew.

    With the type of each value: JSON tells 1, 1.0 and true apart, a dictionary does not.
    """
    prompt = document.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= MAX_PROMPT_CHARS:
        return None
    gist: list[Any] = []
    for name, value in document.items():
        if name in _ASIDE:
            continue
        kind = type(value)
        if name not in _FEW or not (kind in _SCALARS or (kind is str and len(value) <= _LONGEST)):
            return None
        gist += (name, kind, value)
    return tuple(gist)


@dataclass(frozen=True, slots=True)
class WithoutPrompt:
    """A choice for any prompt: the fields of its request but that one, and all else. No prompt is kept with it."""

    request: tuple[Any, ...]
    """The values of its fields in order, where the prompt is the second; by name it would take half as long again."""
    model: PublicModel
    offers: Sequence[Offer]
    wishes: RouteWishes
    warnings: tuple[Warning, ...]

    @classmethod
    def of(cls, choice: Choice) -> WithoutPrompt:
        """The choice, for other prompts."""
        others = tuple(getattr(choice.request, name) for name in _BUT_PROMPT)
        return cls(others, choice.model, choice.offers, choice.wishes, choice.warnings)

    def asking(self, prompt: str) -> Choice:
        """The choice with this prompt."""
        request = ImageRequest(self.request[0], prompt, *self.request[1:])
        return Choice(request, self.model, self.offers, self.wishes, self.warnings)
