"""Catalog: what can be bought, from whom, for how much; and what a caller's ``model`` string means."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from app.catalog.models import FoundModel, PublicModel
from app.catalog.names import Meaning, names_of, parted, policy_suffixes
from providers.spec.request import Resolution
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import PriceTable

_CLOSE = 0.7
"""Likeness from which a name counts as nearly the one asked for; gpt-image-2 and gemini-3-pro-image-2k have 0.63."""
_LONGEST_NAME = 120
"""Characters of a caller's model name that are looked at; no real name comes near."""


class UnknownModelError(Exception):
    """No model goes by this name here. ``name`` is what was asked for (bounded); the message is for the caller."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Catalog:
    """All facts the gateway sells by. Immutable; a reload makes a new one."""

    models: Mapping[str, PublicModel]
    """By name, in the order of the file."""
    offers: tuple[Offer, ...]
    """In the order of the file."""
    prices: PriceTable
    policy: Policy
    default_for: tuple[str, ...]
    """Names of other vendors' retired models that the default model stands in for."""
    sellers: Mapping[str, tuple[str, ...]]
    """Who sells each model according to the files, whether or not there is a key for them."""
    meanings: Mapping[str, Meaning]
    """Every name of every model in the files, lower case."""

    def find(self, name: str | None, *, default_model: str) -> FoundModel:
        """What a caller's ``model`` means. Raises UnknownModelError, whose message lists names that come close.

        A name may be pinned to a provider (``fal/nano-banana-2``) and name a routing policy behind a colon
        (``nano-banana-2:floor``). Letter case does not matter. No name at all means ``default_model``, and so do the
        names in ``default_for``, these with a warning. ``default_model`` may be any name but one of those; that it
        exists is best asked once at the start, with ``find(None, ...)``.
        """
        asked = " ".join((name or "").split())[:_LONGEST_NAME]
        if not asked:
            return self._known(" ".join(default_model.split())[:_LONGEST_NAME])
        pin, bare, suffix = self._split(asked)
        if bare not in self.default_for:
            return self._known(asked)
        found = self._known(" ".join(default_model.split())[:_LONGEST_NAME])
        if pin is not None:
            self._must_sell(pin, found.model, asked)
            found = replace(found, provider=pin)
        if suffix is not None:
            found = replace(found, policy=self._policy_of(suffix, asked))
        warning = f'"{bare}" is no longer offered by anyone; {found.model.name} serves the request instead.'
        return replace(found, warning=warning)

    def ordered_models(
        self, primary: str | None, names: Sequence[str], *, default_model: str
    ) -> tuple[FoundModel, ...]:
        """What a caller's ``model`` and ``models`` mean together, in the order to try them.

        ``primary``, where given, comes first: it is what the caller asked for by itself. The others follow by falling
        ``quality`` when every one of them has a figure, else in the caller's order, which also decides between equal
        figures: half a comparison is none. Names that mean the same count once. Without any name it is the default
        model alone. Raises UnknownModelError for the first name that is unknown.
        """
        first = [self.find(primary, default_model=default_model)] if primary is not None or not names else []
        others = [self.find(name, default_model=default_model) for name in names if name != primary]
        figures = {found.model.name: found.model.quality for found in others}
        if None not in figures.values():
            others.sort(key=lambda found: -(found.model.quality or 0.0))
        distinct: dict[tuple[str, str | None, Resolution | None], FoundModel] = {}
        for found in (*first, *others):
            distinct.setdefault((found.model.name, found.provider, found.resolution), found)
        return tuple(distinct.values())

    def offers_of(self, found: FoundModel) -> tuple[Offer, ...]:
        """The offers that may serve the found model, in the order of the file; when pinned, that provider's only."""
        return tuple(
            offer
            for offer in self.offers
            if offer.model == found.model.name and found.provider in (None, offer.provider)
        )

    def as_sold_by(self, found: FoundModel, providers: Collection[str]) -> FoundModel:
        """The found model with the sizes and ratios it has at these providers; as it is where none of them sells it."""
        mine = tuple(offer for offer in self.offers_of(found) if offer.provider in providers)
        return replace(found, model=_narrowed(found.model, mine)) if mine else found

    def restricted_to(self, providers: Iterable[str]) -> Catalog:
        """This catalog with the offers of these providers only.

        A model keeps the sizes and ratios that are left, and one without an offer disappears.
        """
        kept = frozenset(providers)
        offers = tuple(offer for offer in self.offers if offer.provider in kept)
        models = {
            name: _narrowed(model, mine)
            for name, model in self.models.items()
            if (mine := tuple(offer for offer in offers if offer.model == name))
        }
        return replace(self, models=MappingProxyType(models), offers=offers)

    def _split(self, asked: str) -> tuple[str | None, str, str | None]:
        """The pinned provider, the bare name, and the policy's suffix."""
        head, slash, tail = asked.lower().partition("/")
        pinned = bool(slash) and any(head in sellers for sellers in self.sellers.values())
        bare, suffix = parted(tail if pinned else asked.lower())
        return head if pinned else None, bare, suffix

    def _policy_of(self, suffix: str, asked: str) -> str:
        suffixes = policy_suffixes(self.policy.objectives)
        if suffix not in suffixes:
            listed = _listed(f":{name}" for name in suffixes)
            raise UnknownModelError(
                asked, f"The model {_quoted(asked)} does not exist: the suffixes of a name are {listed}."
            )
        return suffixes[suffix]

    def _known(self, asked: str) -> FoundModel:
        provider, bare, suffix = self._split(asked)
        meaning = self.meanings.get(bare)
        if meaning is None:
            raise UnknownModelError(asked, self._unknown(asked, bare))
        model = self.models.get(meaning.model)
        if model is None:
            sellers = _listed(self.sellers[meaning.model])
            raise UnknownModelError(
                asked,
                f"The model {_quoted(asked)} is not served here: it is sold by {sellers}, none of which is set up.",
            )
        if provider is not None:
            self._must_sell(provider, model, asked)
        if meaning.resolution is not None and meaning.resolution not in model.resolutions:
            offered = _listed(resolution.value for resolution in model.resolutions)
            raise UnknownModelError(
                asked, f"The model {_quoted(asked)} is not served here: {model.name} is only to be had at {offered}."
            )
        policy = None if suffix is None else self._policy_of(suffix, asked)
        return FoundModel(model=model, provider=provider, resolution=meaning.resolution, policy=policy)

    def _must_sell(self, provider: str, model: PublicModel, asked: str) -> None:
        here = [offer.provider for offer in self.offers if offer.model == model.name]
        if provider in here:
            return
        why = "is not set up here" if provider in self.sellers[model.name] else f"does not sell {model.name}"
        raise UnknownModelError(
            asked, f"The model {_quoted(asked)} does not exist: {provider} {why}; {_listed(here)} can serve it."
        )

    def _served(self, meaning: Meaning) -> bool:
        model = self.models.get(meaning.model)
        return model is not None and meaning.resolution in (None, *model.resolutions)

    def _unknown(self, asked: str, bare: str) -> str:
        served = [name for name, meaning in self.meanings.items() if self._served(meaning)]
        close = difflib.get_close_matches(bare, served, n=3, cutoff=_CLOSE) or difflib.get_close_matches(
            bare.rpartition("/")[2], served, n=3, cutoff=_CLOSE
        )
        hint = f"names that come close: {', '.join(close)}" if close else "GET /v1/models lists those that do"
        return f"The model {_quoted(asked)} does not exist; {hint}."


def _narrowed(model: PublicModel, offers: tuple[Offer, ...]) -> PublicModel:
    return model.limited_to(
        frozenset[Resolution]().union(*(offer.capability.resolutions for offer in offers)),
        frozenset[str]().union(*(offer.capability.aspect_ratios for offer in offers)),
    )


def meanings_of(models: Iterable[PublicModel]) -> Mapping[str, Meaning]:
    """Every name of these models and what it means. Names must be distinct: load checks that."""
    return MappingProxyType({name: meaning for model in models for name, meaning in names_of(model)})


def _quoted(name: str) -> str:
    return '"' + "".join(char if char.isprintable() else "?" for char in name) + '"'


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
