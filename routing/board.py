"""Board: what one process knows of all offers just now. The mutable state that plans are made from; no clock, no I/O.

Attempts change it, news from other replicas change it, and every request reads it as a mapping of healths made for its
operation, resolution and place in line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.attempt import Attempt
from routing.breaker import Breaker, BreakerState
from routing.caps import Caps, line_key
from routing.exploration import Exploration
from routing.families import SHARED_CAUSE, Families
from routing.figures import Figures
from routing.health import Health
from routing.limits import Limit
from routing.line import Line, Place
from routing.offers import Offer
from routing.policy import Policy
from routing.ranking import priors_of
from routing.route_plan import Candidate
from routing.standing import Standing
from routing.stats.outcome import Outcome, OutcomeKind, StatKey, outcome_of
from routing.stats.store import Event, Loaded
from routing.stats.windows import GRANULARITIES
from routing.ticket import Ticket
from routing.trials import Trials

_SEEDING = "1h"
"""Slices that slow figures begin from: 48 hours are eight half-lives of the longest-lived of them."""
_ABOUT_TIER = frozenset({"resolution", "size"})
"""Fields a vendor must blame before it is believed that it cannot do a resolution at all: anything else that it finds
itself unable to do may be a matter of one caller's request."""


class Board:
    """The state of all offers. Not for several threads at once. ``now`` is unix seconds everywhere."""

    def __init__(self, offers: Sequence[Offer], policy: Policy) -> None:
        self.policy = policy
        self.line = Line(policy.limits.max_waiting)
        self.exploration = Exploration(policy.exploration)
        self.families = Families(policy.statistics, policy.families)
        self.publish: Callable[[Event], None] | None = None
        """Told of every event other replicas should know of; None: there are none."""
        self._offers = {offer.key: offer for offer in offers}
        self._standing = Standing(self._offers, policy, self._came_back)
        self._limits = {key: Limit(policy.limits) for key in self._offers}
        self._trials = Trials(self._offers)
        self._unsupported: dict[StatKey, float] = {}
        self._caps = Caps(policy.caps)
        self._hedge_budget = 1.0
        priors = {key: priors_of(offer, policy) for key, offer in self._offers.items()}
        self._figures = Figures(policy.statistics, lambda key: priors.get(key, policy.priors))
        self.statistics = self._figures.statistics
        self._providers = sorted({offer.provider for offer in offers})
        self.kin: Mapping[tuple[str, str], float] = self.families.factors(self._providers)
        """Factor on the success of the second provider when the first has just failed; absent: 1."""

    @property
    def offers(self) -> Collection[Offer]:
        """All offers there are, in the order of the configuration."""
        return self._offers.values()

    @property
    def replicas(self) -> int:
        """Gateway processes that share the offers, this one included."""
        return self._caps.replicas

    @replicas.setter
    def replicas(self, count: int) -> None:
        self._caps.replicas = max(1, count)
        self.exploration.shared = self._trials.shared = count > 1

    def healths(
        self,
        offers: Sequence[Offer],
        operation: Operation,
        resolution: Resolution | None,
        *,
        now: float,
        place: Place | None = None,
        asking: bool = True,
    ) -> Mapping[str, Health]:
        """The healths of these offers for one request; ``place`` is where it stands in line (None: nowhere).

        ``asking`` False: nobody is going to be asked, so no lease for a probe is sought either.
        """
        waited = now - place.since if place is not None else 0.0
        found = {}
        for offer in offers:
            key = offer.key
            stat_key = StatKey(key, operation, resolution)
            kept = self._standing.health(key)
            breaker = self._standing.breaker(key)
            limit = self._limits[key]
            # Asked first: it lets time pass for the limit, which the load is of.
            room = not self.line.ahead(key, place) and limit.room(now=now, waited_s=waited)
            load, capped = limit.load, False
            if self._caps.holds(offer.provider):
                load = max(load, self._caps.load(offer.provider))
                # The cap itself, or somebody in line before it.
                capped = not self._caps.below(offer.provider) or self.line.ahead(line_key(offer.provider), place)
            half_open = breaker.state(now=now) is BreakerState.HALF_OPEN
            due = self.exploration.due(key, now=now, asking=asking)
            found[key] = Health(
                blocked_until=kept.blocked_until,
                out_fault=kept.out_fault,
                out_since=kept.out_since,
                next_probe_at=kept.next_probe_at,
                last_fault=kept.last_fault,
                breaker=breaker,
                estimate=self._figures.estimate(stat_key, now=now),
                room=room,
                trial=not half_open or self._trials.possible(key, asking=asking, now=now),
                capped=capped,
                load=load,
                likely_due=due.likely,
                hopeful_due=due.hopeful,
                unsupported_until=self._unsupported.get(stat_key, 0.0),
            )
        return found

    def arrived(self, hedge_share: float) -> None:
        """A request came in, whose objective allows this share of hedges; budgets that are shares of requests grow."""
        self.exploration.request_seen()
        self._hedge_budget = min(self._hedge_budget + hedge_share, max(self.policy.hedging.burst, 1.0))

    def may_hedge(self) -> bool:
        """Whether one more hedge stays within its share of requests, and nobody waits for an offer."""
        return not len(self.line) and self._hedge_budget >= 1.0

    def started(
        self,
        candidate: Candidate,
        operation: Operation,
        resolution: Resolution | None,
        *,
        now: float,
        place: Place | None = None,
        hedge: bool = False,
    ) -> Ticket:
        """A try begins. ``place``: where its request stood in line until now."""
        key = candidate.offer.key
        stat_key = StatKey(key, operation, resolution)
        trial = self._standing.breaker(key).state(now=now) is not BreakerState.CLOSED
        if trial:
            self._trials.began(key)
        back = candidate.probe and self._standing.out(key)
        if candidate.probe and not trial and not back:
            self.exploration.probe_started(key, now=now)
        else:
            self.exploration.tried(key, now=now)
        if back:
            self._standing.probed(key, now=now)
            self._tell(key, now)
        if hedge:
            self._hedge_budget -= 1.0
        token = self._limits[key].started(now=now, waited_s=now - place.since if place is not None else 0.0)
        self._caps.began(candidate.offer.provider)
        ticket = Ticket(
            candidate, stat_key, token, now, trial=trial, estimate=self._figures.estimate(stat_key, now=now)
        )
        self._figures.began(stat_key, id(ticket), now=now)
        return ticket

    def ended(self, ticket: Ticket, attempt: Attempt, *, now: float, before: Attempt | None = None) -> None:
        """The try ended as the attempt says. ``before`` is the request's attempt right before it, if it made one."""
        key = ticket.key.offer
        self._figures.ended(ticket.key, id(ticket))
        self._caps.ended(ticket.provider)
        taken = self._limits[key].refused if attempt.fault is Fault.RATE_LIMITED else self._limits[key].finished
        taken(ticket.token, now=now)
        if ticket.trial:
            self._trials.ended(key)
        elif ticket.candidate.probe:
            self.exploration.probe_ended(key, delivered=attempt.fault is None, now=now)
        if attempt.fault is None:
            if self._unsupported:
                self._unsupported.pop(ticket.key, None)
        elif attempt.fault is Fault.UNSUPPORTED and attempt.parameter in _ABOUT_TIER:
            self._unsupported[ticket.key] = now + self.policy.statistics.unsupported_s
        try:
            self._judge(ticket, attempt, before, now)
        finally:
            if len(self.line):
                self.line.wake_first(key)
                self.line.wake_first(line_key(ticket.provider))

    def passed_on(self, keys: Collection[str], *, now: float) -> None:
        """A request left the line: whoever is next may have room."""
        for key in keys:
            offer = self._offers.get(key)
            if offer is None or (self._caps.below(offer.provider) and self._limits[key].room(now=now)):
                self.line.wake_first(key)

    def line_keys(self, offers: Collection[str]) -> frozenset[str]:
        """What a request that waits for these offers waits for: them, and the caps of their providers that are reached.

        A cap is shared by all models of a provider, so the line before it is too.
        """
        providers = {self._offers[key].provider for key in offers}
        return frozenset(offers) | {line_key(each) for each in providers if not self._caps.below(each)}

    def waits_no_more(self, place: Place, offers: Collection[str], *, now: float) -> None:
        """The request at this place waits for these offers only by now: it must not hold up others at the rest."""
        wanted = frozenset(offers) | {line_key(self._offers[key].provider) for key in offers}
        self.passed_on(self.line.release(place, place.keys - wanted), now=now)

    def fold(self, event: Event, *, now: float) -> None:
        """Take in what another replica saw."""
        if isinstance(event, Outcome):
            if event.key.offer in self._offers:
                # As of its own time: an outage that is over must not open the breaker of whoever hears of it late.
                self._count(event, self._figures.estimate(event.key, now=now).long_run_success, min(event.at, now))
        elif event.offer in self._offers:
            self._standing.merge(event, now=now)

    def seed(self, loaded: Loaded, *, now: float) -> None:
        """Take in what was kept from before: slow figures from hourly slices, the latest events as of their own time.

        ``now`` is the present. May be called several times, with a portion each.
        """
        for key, granularity, start, slice in loaded.slices:
            if key.offer in self._offers:
                self.statistics.load(key, granularity, start, slice)
                if granularity == _SEEDING:
                    self.statistics.seed(key, ((start + GRANULARITIES[granularity].span_s / 2, slice),))
        for event in loaded.events:
            self.fold(event, now=min(event.at, now))
        self._figures.forget_estimates()

    def wanted_leases(self, *, now: float) -> frozenset[str]:
        """Offers this replica would probe if it alone might."""
        return frozenset(self._trials.wanted() | self.exploration.wanted(now))

    def granted(self, offer: str, until: float) -> None:
        """This replica alone may probe the offer until then (unix seconds)."""
        self._trials.granted(offer, until)
        self.exploration.grant(offer, until)
        self.line.wake_first(offer)

    def breaker(self, offer: str) -> Breaker:
        """The breaker of an offer, by its key."""
        return self._standing.breaker(offer)

    def limit(self, offer: str) -> Limit:
        """The concurrency limit of an offer, by its key."""
        return self._limits[offer]

    def _judge(self, ticket: Ticket, attempt: Attempt, before: Attempt | None, now: float) -> None:
        """What the attempt says about the offer's figures, breaker and health; others are told."""
        outcome = outcome_of(attempt, ticket.key)
        turned = False
        if outcome is not None:
            if before is not None and before.fault in SHARED_CAUSE and outcome.kind is not OutcomeKind.REFUSED:
                self.families.note(before.offer.provider, ticket.provider, attempt.fault is None)
                self.kin = self.families.factors(self._providers)
            turned = self._count(outcome, ticket.estimate.long_run_success, now)
            if self.publish is not None:
                self.publish(outcome)
        if self._standing.ended(attempt, now=now) or turned:
            self._tell(ticket.key.offer, now)

    def _count(self, outcome: Outcome, success: float, now: float) -> bool:
        """An outcome of any replica enters the figures and the breaker. Whether that opened or closed."""
        self._figures.add(outcome)
        running = self._figures.running(outcome.key.offer) if outcome.kind is OutcomeKind.FAILED else ()
        return self._standing.counted(outcome, success=success, running=running, now=now)

    def _came_back(self, offer: str) -> None:
        """A breaker closed: the outage is over and no longer speaks against the offer."""
        self._figures.came_back(offer)
        self.line.wake_first(offer)

    def _tell(self, offer: str, now: float) -> None:
        if self.publish is not None:
            self.publish(self._standing.notice(offer, now=now))
