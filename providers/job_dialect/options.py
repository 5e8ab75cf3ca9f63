"""A caller's own fields for one vendor: passed on as they are, unless they are the gateway's to set."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from providers.spec.errors import Fault, ProviderError


def with_options(
    document: Mapping[str, object], options: Mapping[str, object], reserved: Collection[str], provider: str
) -> dict[str, object]:
    """The model's input with the caller's fields in it, which rule over the gateway's defaults.

    ``provider`` is the name under which the caller gave them. Raises ProviderError(UNSUPPORTED) for a reserved field,
    and for a value that JSON has no words for.
    """
    taken = sorted(options.keys() & set(reserved))
    if taken:
        raise _refused(f"provider_options.{provider} may not set {', '.join(taken)}, which the gateway sets itself.")
    try:
        json.dumps(dict(options), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise _refused(f"provider_options.{provider} must hold JSON values only.") from None
    return {**document, **options}


def _refused(message: str) -> ProviderError:
    return ProviderError(Fault.UNSUPPORTED, message, parameter="provider_options")
