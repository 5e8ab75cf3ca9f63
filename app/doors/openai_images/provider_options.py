"""Provider options: fields a caller means for one vendor alone, passed on as they are: ``{"fal": {"...": ...}}``.

What the gateway says itself, and what changes what is bought, cannot be said this way: it would be priced wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.fields import Fields, parse_object
from providers.registry import reserved_options
from providers.spec.request import Options

MAX_BYTES = 64 * 1024
"""Of the options of all providers together, as JSON. They go to a vendor as they are; none of theirs is this long."""

_NAMES = ("provider_options", "providerOptions")


def take_provider_options(fields: Fields, *, providers: Collection[str]) -> Mapping[str, Options]:
    """The options by provider. Raises ParameterError for an unknown provider, and for an option that is not free."""
    name, said = fields.take(*_NAMES)
    if isinstance(said, str):
        said = parse_object(said.encode(), param=name)
    if said is None:
        return MappingProxyType({})
    if not isinstance(said, dict):
        raise ParameterError(name, f'{name} must be an object such as {{"fal": {{"enable_safety_checker": true}}}}.')
    try:
        length = len(json.dumps(said))
    except TypeError:
        raise ParameterError(name, f"{name} must hold JSON values only, no files.") from None
    if length > MAX_BYTES:
        raise ParameterError(name, f"{name} may have {MAX_BYTES:,} bytes as JSON; these have {length:,}.")
    reserved = {provider: {_canonical(path) for path in paths} for provider, paths in reserved_options().items()}
    for provider, options in said.items():
        if provider not in providers:
            raise ParameterError(
                name, f"{name}: {shown(provider)} is not a provider; there are {', '.join(providers)}."
            )
        if not isinstance(options, dict):
            raise ParameterError(f"{name}.{provider}", f"{name}.{provider} must be an object.")
        for path in _paths(options):
            if _canonical(path) in reserved[provider]:
                raise ParameterError(
                    f"{name}.{provider}.{path}",
                    f"{name}.{provider}.{path} is set by the gateway itself; use its own parameter for it.",
                    "unsupported_value",
                )
    return MappingProxyType({provider: MappingProxyType(options) for provider, options in said.items()})


def _paths(options: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in options.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")


def _canonical(path: str) -> str:
    """Google reads its fields in both spellings, ``imageConfig`` and ``image_config``; neither slips through."""
    return path.replace("_", "").lower()
