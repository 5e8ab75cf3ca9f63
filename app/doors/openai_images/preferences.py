"""Preferences: what a body says about routing. The ``provider`` object under OpenRouter's field names, ``models``,
``policy``, ``value_of_time`` and ``hedge``.

Numbers and flags may come as text and names in camel case, as everywhere in a body. An empty list says nothing. What
OpenRouter knows and this gateway does not act on is a warning; what nobody knows is refused, since a misspelt
``ignore`` would send a request where its caller does not want it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import isfinite
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.fields import Fields, parse_object
from providers.spec.result import Warning
from routing.wishes import NO_WISHES, RouteWishes

MAX_MODELS = 8
"""Names in ``models``. Each is another plan with its own tries; nobody names more alternatives in earnest."""
MAX_MODEL_CHARS = 200
"""Characters of one such name; the catalog looks at fewer."""
MAX_VALUE_OF_TIME = 10.0
"""USD per second. Two hundred times that of ``fastest``, beyond which no choice changes."""
MAX_PRICE_USD = 10_000
"""Above any price per image or request; a larger number is a slip, for example of cents."""
MAX_LATENCY_S = 3600.0
"""No vendor takes an hour; a larger number is a slip, for example of milliseconds."""

SORTS: Mapping[str, str] = {
    "price": "cheapest",
    "latency": "fastest",
    # Tokens per second mean nothing for one image; what is left of throughput is how soon it is there.
    "throughput": "fastest",
    "reliability": "most_reliable",
}
"""Which routing policy each value of ``provider.sort`` stands for."""

_NAMES = ("provider", "models", "policy", "value_of_time", "valueOfTime", "hedge")
_QUANTILES: Mapping[str, float] = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_SERVED = (
    "order", "only", "ignore", "allow_fallbacks", "require_parameters", "sort", "max_price", "preferred_max_latency",
)  # fmt: skip
_WITHOUT_EFFECT = (
    "data_collection", "zdr", "quantizations", "enforce_distillable_text", "preferred_min_throughput",
)  # fmt: skip
_PRICES_WITHOUT_EFFECT = ("prompt", "completion", "audio")
"""Of OpenRouter's ``max_price``: rates per token, which no image is sold by here."""
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}")
_EXAMPLE = '{"order": ["fal", "gemini"]}'


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a body says about routing."""

    wishes: RouteWishes = NO_WISHES
    models: tuple[str, ...] = ()
    """Names to choose from, the caller's ``model`` first; empty when the body has no ``models``."""
    warnings: tuple[Warning, ...] = ()


_NOTHING_SAID = Preferences()


def take_preferences(
    fields: Fields, model: str | None, *, policies: Collection[str], providers: Collection[str]
) -> Preferences:
    """Take everything about routing out of ``fields``.

    ``model`` is the body's own model name, ``policies`` are the names a caller may choose from, ``providers`` those of
    our providers, in the order in which to list them. Raises ParameterError, whose message lists what would be right.
    """
    if not any(map(fields.has, _NAMES)):
        return _NOTHING_SAID
    own = _provider_fields(fields, providers)
    policy = _policy(fields, own, policies)
    per_image, per_request, price_warnings = _max_price(own)
    only = _provider_names(own, providers, "only")
    ignore = _provider_names(own, providers, "ignore")
    allow_fallbacks = own.flag(*_spellings("allow_fallbacks"))
    wishes = RouteWishes(
        order=_provider_names(own, providers, "order"),
        only=frozenset(only) or None,
        ignore=frozenset(ignore),
        allow_fallbacks=allow_fallbacks is not False,
        require_parameters=bool(own.flag(*_spellings("require_parameters"))),
        policy=policy,
        value_of_time_usd_per_s=_number(
            *fields.take("value_of_time", "valueOfTime"), least=0.0, most=MAX_VALUE_OF_TIME, unit="USD per second"
        ),
        max_price_per_image=per_image,
        max_price_per_request=per_request,
        preferred_max_latency=_latencies(own),
        hedge=fields.flag("hedge"),
    )
    if wishes.only is not None and wishes.only <= wishes.ignore:
        raise ParameterError("provider.ignore", "provider.ignore names every provider of provider.only.")
    warnings = (*price_warnings, *_without_effect(own))
    _refuse_unknown(own)
    return Preferences(wishes if wishes != NO_WISHES else NO_WISHES, _models(fields, model), warnings)


def _provider_fields(fields: Fields, providers: Collection[str]) -> Fields:
    """The fields of ``provider``, each under its path, so that a sentence about it names it as the caller finds it."""
    _, said = fields.take("provider")
    if isinstance(said, str) and not said.lstrip().startswith("{"):
        return Fields({"provider.only": [_known("provider", said, providers)]})
    if isinstance(said, str):
        said = parse_object(said.encode(), param="provider")
    if said is None:
        return Fields({})
    if not isinstance(said, dict):
        raise ParameterError(
            "provider", f"provider must be an object such as {_EXAMPLE}, or one of {', '.join(providers)}."
        )
    return Fields({f"provider.{key}": value for key, value in said.items()})


@cache
def _spellings(name: str) -> tuple[str, str]:
    first, *others = name.split("_")
    return f"provider.{name}", f"provider.{first}{''.join(word.capitalize() for word in others)}"


def _provider_names(own: Fields, providers: Collection[str], field: str) -> tuple[str, ...]:
    name, said = own.take(f"provider.{field}")
    if said is None:
        return ()
    entries = [said] if isinstance(said, str) else said
    if not isinstance(entries, list):
        raise ParameterError(name, f"{name} must be a list of {', '.join(providers)}, not {shown(said)}.")
    return tuple(dict.fromkeys(_known(name, entry, providers) for entry in entries))


def _known(param: str, entry: object, providers: Collection[str]) -> str:
    word = entry.strip().lower() if isinstance(entry, str) else ""
    if word not in providers:
        raise ParameterError(param, f"{param}: {shown(entry)} is not a provider; there are {', '.join(providers)}.")
    return word


def _policy(fields: Fields, own: Fields, policies: Collection[str]) -> str | None:
    policy, sort = fields.choice(policies, "policy"), own.choice(SORTS, "provider.sort")
    if sort is None:
        return policy
    if policy not in (None, SORTS[sort]):
        raise ParameterError(
            "provider.sort",
            f"policy {policy} and provider.sort {sort}, which is the policy {SORTS[sort]}, differ; send one of them.",
        )
    return SORTS[sort]


def _max_price(own: Fields) -> tuple[Decimal | None, Decimal | None, tuple[Warning, ...]]:
    """USD per image and per request, and what of the object has no effect."""
    name, said = own.take(*_spellings("max_price"))
    if not isinstance(said, dict):
        return _amount(name, said), None, ()
    parts = Fields({f"{name}.{key}": value for key, value in said.items()})
    per_image = _amount(*parts.take(f"{name}.image"))
    per_request = _amount(*parts.take(f"{name}.request"))
    warnings = tuple(
        Warning(part, f"{part} has no effect: images are not sold by the token here")
        for part, _ in parts.take_all(*(f"{name}.{kind}" for kind in _PRICES_WITHOUT_EFFECT))
    )
    for unknown in parts.rest():
        raise ParameterError(unknown, f"{shown(unknown)} is not known; {name} has image and request, both in USD.")
    return per_image, per_request, warnings


def _amount(param: str, said: Any) -> Decimal | None:
    """USD as a decimal number. What JSON spelt as 0.08 is 0.08: the shortest text of the float that was read."""
    if said is None:
        return None
    text = said.strip().removeprefix("$") if isinstance(said, str) else ""
    amount: Decimal | None = None
    if _NUMBER.fullmatch(text):
        amount = Decimal(text)
    elif isinstance(said, int | float) and not isinstance(said, bool):
        amount = Decimal(repr(said))
    if amount is None or not 0 < amount <= MAX_PRICE_USD:
        raise ParameterError(
            param, f"{param} must be an amount of USD above 0 and up to {MAX_PRICE_USD:,}, not {shown(said)}."
        )
    return amount


def _latencies(own: Fields) -> tuple[tuple[float, float], ...]:
    name, said = own.take(*_spellings("preferred_max_latency"))
    if not isinstance(said, dict):
        median = _seconds(name, said)
        return () if median is None else ((_QUANTILES["p50"], median),)
    parts = Fields({f"{name}.{key}": value for key, value in said.items()})
    given = [(share, _seconds(*parts.take(f"{name}.{quantile}"))) for quantile, share in _QUANTILES.items()]
    for unknown in parts.rest():
        raise ParameterError(unknown, f"{shown(unknown)} is not known; {name} has {', '.join(_QUANTILES)}.")
    return tuple((share, seconds) for share, seconds in given if seconds is not None)


def _seconds(param: str, said: Any) -> float | None:
    seconds = _number(param, said, least=0.0, most=MAX_LATENCY_S, unit="seconds")
    if seconds == 0:
        raise ParameterError(param, f"{param} must be a number of seconds above 0, not {shown(said)}.")
    return seconds


def _number(param: str, said: Any, *, least: float, most: float, unit: str) -> float | None:
    if said is None:
        return None
    number: float | None = None
    if isinstance(said, str) and _NUMBER.fullmatch(said.strip()):
        number = float(said.strip())
    elif isinstance(said, int | float) and not isinstance(said, bool) and isfinite(said):
        number = float(said)
    if number is None or not least <= number <= most:
        raise ParameterError(
            param, f"{param} must be a number of {unit} from {least:g} to {most:g}, not {shown(said)}."
        )
    return number


def _without_effect(own: Fields) -> Iterator[Warning]:
    for field in _WITHOUT_EFFECT:
        # A name of one word has one spelling; asked for twice, it is gone the second time.
        for name, _ in own.take_all(*_spellings(field)):
            yield Warning(name, f"{name} has no effect: this gateway does not choose providers by it")


def _refuse_unknown(own: Fields) -> None:
    for name in own.rest():
        raise ParameterError(name, f"{shown(name)} is not known; provider has {', '.join(_SERVED)}.")


def _models(fields: Fields, model: str | None) -> tuple[str, ...]:
    name, said = fields.take("models")
    entries = [said] if isinstance(said, str) else said
    if entries is None or entries == []:
        return ()
    if not isinstance(entries, list) or len(entries) > MAX_MODELS:
        raise ParameterError(name, f"{name} must be a list of 1 to {MAX_MODELS} model names, not {shown(said)}.")
    for entry in entries:
        if not isinstance(entry, str) or not 1 <= len(entry.strip()) <= MAX_MODEL_CHARS:
            raise ParameterError(name, f"{name} must hold model names only, not {shown(entry)}.")
    distinct: dict[str, str] = {}
    for named in (*([model] if model else []), *(entry.strip() for entry in entries)):
        distinct.setdefault(named.lower(), named)
    return tuple(distinct.values())
