"""Wishes: what a caller may say about routing, the objective that follows from it, and whom it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from providers.spec.capability import Objection
from providers.spec.request import ImageRequest
from routing.knobs import Objective
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import Quote
from routing.reasons import SUBJECT, dollars

ORDER = "provider.order"
ONLY = "provider.only"
IGNORE = "provider.ignore"
MAX_PRICE = "provider.max_price"
FORBIDDEN = "model"
"""The field an offer blames when the operator forbids its provider: nothing else the caller said leads there."""
EXCLUDING: frozenset[str] = frozenset({ORDER, ONLY, IGNORE, FORBIDDEN})
"""Fields by which a provider is left out whatever it can do and whatever it asks."""

_SHOWN_DIGITS = 6
"""Decimals of a USD price per image in a sentence; the price tables use four."""


@dataclass(frozen=True, slots=True)
class RouteWishes:
    """What one request says about routing. The defaults are a caller who said nothing; provider names are ours."""

    order: tuple[str, ...] = ()
    """Providers to try first, in this order; the others follow by the objective."""
    only: frozenset[str] | None = None
    """Providers that may serve the request; None: all."""
    ignore: frozenset[str] = frozenset()
    """Providers that may not."""
    allow_fallbacks: bool = True
    """False: nobody outside ``order`` is tried, and without an order nobody after the first choice."""
    require_parameters: bool = False
    """True: an offer that would ignore one of the request's parameters is left out, instead of a warning."""
    policy: str | None = None
    """A key of ``Policy.objectives``; None: the policy's default."""
    value_of_time_usd_per_s: float | None = None
    """USD a second of waiting is worth to this caller, in place of the objective's figure."""
    max_price_per_image: Decimal | None = None
    """USD, surcharges included: what the request costs divided by its images."""
    max_price_per_request: Decimal | None = None
    """USD for all of a request's images together. A failed try that is billed does not count."""
    preferred_max_latency: tuple[tuple[float, float], ...] = ()
    """Pairs of quantile (0 to 1) and seconds. Offers that are slower come last; they are not left out."""
    hedge: bool | None = None
    """Whether a second provider may be asked while the first is still at work; None: as the policy says."""


NO_WISHES = RouteWishes()
"""A caller who said nothing about routing."""


def objective_of(wishes: RouteWishes, policy: Policy) -> tuple[str, Objective]:
    """The name of the routing policy that holds for a request, and its objective with the caller's value of time in it.

    Raises KeyError for a name the policy does not have; the door and the configuration let none pass.
    """
    name = wishes.policy or policy.default_policy
    objective = policy.objectives[name]
    value = wishes.value_of_time_usd_per_s
    return name, objective if value is None else replace(objective, value_of_time_usd_per_s=value)


def excluded(offer: Offer, wishes: RouteWishes, policy: Policy) -> Objection | None:
    """Why the caller or the operator leaves this offer out whatever it can do and asks; None: neither does.

    The parameter is one of EXCLUDING.
    """
    provider = offer.provider
    if provider in policy.forbidden_providers:
        return Objection(FORBIDDEN, f"{SUBJECT} is not used by this gateway")
    if wishes is NO_WISHES:
        return None
    if wishes.only is not None and provider not in wishes.only:
        return Objection(ONLY, f"{SUBJECT} is not in {ONLY}")
    if provider in wishes.ignore:
        return Objection(IGNORE, f"{SUBJECT} is in {IGNORE}")
    if wishes.order and not wishes.allow_fallbacks and provider not in wishes.order:
        return Objection(ORDER, f"{SUBJECT} is not in {ORDER}, and provider.allow_fallbacks is false")
    return None


def unwanted(offer: Offer, quote: Quote, request: ImageRequest, wishes: RouteWishes) -> Objection | None:
    """Why the caller does not want this offer for the request, as it is or at its price; None: nothing is against it.

    To be asked of offers that are not excluded, capable and priced. The price is looked at last, so that an offer that
    is only too dear is one that would have served at a higher ``max_price``.
    """
    if wishes is NO_WISHES:
        return None
    if wishes.require_parameters:
        ignored = offer.capability.ignored(request)
        if ignored:
            return Objection(
                ignored[0], f"{SUBJECT} would ignore {ignored[0]}, and provider.require_parameters is true"
            )
    return _too_dear(quote, request, wishes)


def _too_dear(quote: Quote, request: ImageRequest, wishes: RouteWishes) -> Objection | None:
    per_image, per_request = wishes.max_price_per_image, wishes.max_price_per_request
    if per_image is not None and quote.total > per_image * request.n:
        asked, allowed = dollars(round(quote.total / request.n, _SHOWN_DIGITS)), dollars(per_image)
        return Objection(MAX_PRICE, f"{SUBJECT} asks {asked} per image, above the {allowed} allowed")
    if per_request is not None and quote.total > per_request:
        asked, allowed = dollars(quote.total), dollars(per_request)
        return Objection(MAX_PRICE, f"{SUBJECT} asks {asked} for the request, above the {allowed} allowed")
    return None
