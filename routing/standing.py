"""Standing: the health and the breaker of every offer, as this process's tries and other replicas' news leave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from routing.attempt import Attempt
from routing.breaker import Breaker, after_try, merged
from routing.health import CLOSED, UNTRIED, Health, after, probing
from routing.policy import Policy
from routing.stats.outcome import Outcome, OutcomeKind
from routing.stats.store import Notice


class Standing:
    """Healths and breakers by ``Offer.key``. Mutable, no clock; ``now`` is unix seconds."""

    def __init__(self, offers: Iterable[str], policy: Policy, closed: Callable[[str], None]) -> None:
        """``closed`` is told of an offer whose breaker has just closed."""
        self._policy = policy
        self._closed = closed
        self._healths: dict[str, Health] = dict.fromkeys(offers, UNTRIED)
        self._breakers: dict[str, Breaker] = dict.fromkeys(self._healths, CLOSED)

    def health(self, offer: str) -> Health:
        """What is kept of the offer between requests; its breaker is kept apart."""
        return self._healths[offer]

    def breaker(self, offer: str) -> Breaker:
        """The offer's breaker."""
        return self._breakers[offer]

    def out(self, offer: str) -> bool:
        """Whether it can serve nobody until an operator acts."""
        return self._healths[offer].out_fault is not None

    def probed(self, offer: str, *, now: float) -> None:
        """A request begins to look whether an offer that is out is back."""
        self._healths[offer] = probing(self._healths[offer], now=now, policy=self._policy)

    def counted(self, outcome: Outcome, *, success: float, running: Iterable[float], now: float) -> bool:
        """Count an outcome in the breaker. Whether it opened or closed.

        ``success`` is the long-run rate, ``running`` when the offer's tries under way began.
        """
        offer = outcome.key.offer
        before = self._breakers[offer]
        delivered = outcome.kind is OutcomeKind.DELIVERED
        survivors = 0
        if not delivered:
            if outcome.kind is OutcomeKind.REFUSED:
                return False
            outlived = now - outcome.seconds
            # Another replica's closing comes without its suspicion; what hangs from before it speaks for nothing.
            since = max(before.suspect_since, before.closed_at)
            survivors = sum(since <= began < outlived for began in running)
        after_it = after_try(
            before,
            delivered=delivered,
            started_at=outcome.at - outcome.seconds,
            success=success,
            knobs=self._policy.breaker,
            now=now,
            survivors=survivors,
        )
        if after_it is before:
            return False
        self._breakers[offer] = after_it
        return self._turned(offer, before, after_it)

    def ended(self, attempt: Attempt, *, now: float) -> bool:
        """Count an attempt in the offer's health. Whether that changed when it may be asked, which others should know.

        Its last fault alone keeps nobody from asking, and changes many times a second where things go wrong.
        """
        offer = attempt.offer.key
        before = self._healths[offer]
        known = after(before, attempt, self._policy, now=now)
        if known is before:
            return False
        self._healths[offer] = known
        return (
            known.blocked_until != before.blocked_until
            or known.out_fault is not before.out_fault
            or known.next_probe_at != before.next_probe_at
        )

    def notice(self, offer: str, *, now: float) -> Notice:
        """What other replicas should know of the offer."""
        return Notice(offer, now, self._healths[offer], self._breakers[offer])

    def merge(self, notice: Notice, *, now: float) -> None:
        """Take in what another replica knows. Of two outages the one probed later is the newer; blocks add up.

        An outage ends on a notice of a success only: whoever tells of another fault may not have heard of it yet.
        Nothing is believed that this replica could not have come to by itself at ``now``, so that a wrong clock or
        damaged bytes take no offer out of service for good.
        """
        offer, theirs = notice.offer, self._believed(notice.health, now)
        before, own = self._breakers[offer], self._healths[offer]
        self._breakers[offer] = merged(before, self._believed_breaker(notice.breaker, now))
        self._turned(offer, before, self._breakers[offer])
        if theirs.out_fault is not None:
            newer = theirs.next_probe_at > own.next_probe_at
        else:
            newer = own.out_fault is not None and theirs.last_fault is None and notice.at > own.out_since
        kept = theirs if newer else own
        self._healths[offer] = replace(kept, blocked_until=max(own.blocked_until, theirs.blocked_until))

    def _believed(self, theirs: Health, now: float) -> Health:
        return replace(
            theirs,
            blocked_until=min(theirs.blocked_until, now + self._policy.max_block_s),
            out_since=min(theirs.out_since, now),
            next_probe_at=min(theirs.next_probe_at, now + max(self._policy.out_long_s, self._policy.out_probe_s)),
        )

    def _believed_breaker(self, theirs: Breaker, now: float) -> Breaker:
        knobs = self._policy.breaker
        longest_s = max(knobs.open_s, knobs.max_open_s)
        return replace(
            theirs,
            score=min(max(theirs.score, 0.0), knobs.trip),
            opened_at=min(theirs.opened_at, now),
            open_until=min(theirs.open_until, now + longest_s),
            # The next opening doubles it, and double nothing would be none.
            open_s=min(max(theirs.open_s, knobs.open_s), longest_s),
            closed_at=min(theirs.closed_at, now),
            suspect_since=min(theirs.suspect_since, now),
        )

    def _turned(self, offer: str, before: Breaker, after_it: Breaker) -> bool:
        if after_it.closed_at > before.closed_at:
            self._closed(offer)
            return True
        return after_it.opened_at > before.opened_at
