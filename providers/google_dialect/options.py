"""Provider options: fields of the body that a caller words himself, and those the gateway keeps for itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from providers.spec.errors import Fault, ProviderError
from providers.spec.request import Options

RESERVED_OPTIONS: frozenset[str] = frozenset(
    {
        # What the gateway words from the request's own fields, which were checked against the model.
        "contents",
        "systemInstruction",
        "safetySettings",
        "generationConfig.responseModalities",
        "generationConfig.imageConfig.aspectRatio",
        "generationConfig.imageConfig.imageOutputOptions",
        "generationConfig.seed",
        # What is bought, and at which price: the quote would no longer be true.
        "model",
        "serviceTier",
        "tools",
        "toolConfig",
        "generationConfig.candidateCount",
        "generationConfig.imageConfig.imageSize",
        "generationConfig.thinkingConfig",
        # Input the quote knows nothing of.
        "cachedContent",
        # What comes back, and where: the conversation expects an image in the reply, of the size asked above.
        "generationConfig.responseFormat",
        "generationConfig.responseMimeType",
        "generationConfig.responseSchema",
        "generationConfig.responseJsonSchema",
        "generationConfig.speechConfig",
        "outputConfig",
        "continuationToken",
    }
)
"""Fields of the body, as dotted paths, that a caller's ``provider_options`` may not set. Everything below a path is
reserved with it. ``imageConfig`` is reserved field by field, so that Vertex's ``personGeneration`` stays free."""


DEEPEST = 50
"""Objects and lists inside each other that options may have; Google's own fields have a tenth of it."""


def _canonical(name: str) -> str:
    """Google reads a field in both spellings, ``imageConfig`` and ``image_config``; they count as one here."""
    return name.replace("_", "").lower()


_RESERVED = frozenset(map(_canonical, RESERVED_OPTIONS))
_ABOVE = frozenset(path[:at] for path in _RESERVED for at, char in enumerate(path) if char == ".")
"""Objects that hold a reserved field: one put in their place whole, a null for example, would take that field along."""


def with_options(body: dict[str, object], options: Options, vendor: str) -> dict[str, object]:
    """The body with the caller's options in it, object by object; an option rules over the gateway's default.

    Raises ProviderError (UNSUPPORTED) when an option is reserved, and for a value that JSON has no words for.
    ``vendor`` is the name people know the seller by.
    """
    if not options:
        return body
    try:
        if _deep(options):
            raise ValueError("nested too deep")
        json.dumps(options, default=dict, allow_nan=False)
        taken = [path for path, value in _paths(options) if _is_taken(path, value)]
        if not taken:
            return _merged(body, options)
    except (TypeError, ValueError):
        raise _refused(f"provider_options for {vendor} must hold plain JSON values only.") from None
    raise _refused(f"provider_options for {vendor} sets a field that the gateway sets itself.")


def _refused(message: str) -> ProviderError:
    return ProviderError(Fault.UNSUPPORTED, message, parameter="provider_options")


def _deep(value: object, left: int = DEEPEST) -> bool:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return left == 0 or any(_deep(item, left - 1) for item in items)


def _is_taken(path: str, value: object) -> bool:
    return path in _RESERVED or (path in _ABOVE and not isinstance(value, Mapping))


def _paths(options: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in options.items():
        path = above + _canonical(key)
        yield path, value
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")


def _merged(body: Mapping[str, object], options: Mapping[str, object]) -> dict[str, object]:
    merged = dict(body)
    spelt = {_canonical(key): key for key in body}
    for name, value in options.items():
        key = spelt.setdefault(_canonical(name), name)
        present = merged.get(key)
        both = isinstance(present, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(present, value) if both else value  # type: ignore[arg-type]
    return merged
