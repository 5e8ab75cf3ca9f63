"""Limits: how many tries at once an offer bears, learned from its refusals.

An offer is unlimited until it refuses twice at the edge, that is near the largest concurrency it accepted of late: a
refusal far below that is about something else, such as images per minute. Then the limit follows the vendor's word
downwards at once, and upwards by saturation that nobody minds and by single tests on behalf of those who wait.
"""

from __future__ import annotations

from collections import deque

from routing.knobs import LimitKnobs


class Token:
    """One try under way at an offer, as its limit sees it. Made by ``Limit.started``, handed back once at its end."""

    __slots__ = ("accepted", "concurrency", "ended", "number", "started_at", "test")

    def __init__(self, number: int, concurrency: int, started_at: float, *, test: bool) -> None:
        self.number = number
        self.concurrency = concurrency
        """Tries the vendor had at hand when this one began, itself included."""
        self.started_at = started_at
        self.test = test
        """Whether it went beyond the limit to test it."""
        self.accepted = False
        self.ended = False


class Limit:
    """The limit of one offer in this replica. Mutable, no clock: ``now`` is unix seconds and must not go back."""

    __slots__ = (
        "_accepted",
        "_growth_on_trial",
        "_knobs",
        "_met_at",
        "_next_test_at",
        "_number",
        "_pending",
        "_raise_after_s",
        "_reacted_at",
        "_refused_at",
        "_saturated_s",
        "_seen_at",
        "_test",
        "_test_interval_s",
        "in_flight",
        "limit",
    )

    def __init__(self, knobs: LimitKnobs) -> None:
        self._knobs = knobs
        self.in_flight = 0
        self.limit: int | None = None
        """The learned bound, at least 1; None: none was learned."""
        self._number = 0
        self._pending: deque[Token] = deque()
        """Tries not yet known to be accepted, oldest first; ended ones are dropped as their time comes."""
        self._accepted: deque[tuple[float, int]] = deque()
        """When which concurrency was accepted; falling, so that the first is the largest that still counts."""
        self._refused_at: deque[float] = deque(maxlen=max(1, knobs.refusals))
        self._test: Token | None = None
        """The test under way; there is never more than one."""
        self._test_interval_s = knobs.test_wait_s
        self._next_test_at = 0.0
        self._raise_after_s = knobs.raise_after_s
        self._saturated_s = 0.0
        """Seconds exactly at the limit since it last changed or refused."""
        self._growth_on_trial = False
        """Whether the limit has grown and no try has yet been accepted at its new height."""
        self._reacted_at = 0.0
        """When a refusal last made the limit or slowed its growth."""
        self._met_at = 0.0
        """When the limit was last reached."""
        self._seen_at = 0.0
        """Up to when saturation is counted."""

    @property
    def load(self) -> float:
        """Share of the limit that is in use; above 1 when it fell below what is in flight; 0.0 without a limit."""
        return self.in_flight / self.limit if self.limit is not None else 0.0

    def room(self, *, now: float, waited_s: float = 0.0) -> bool:
        """Whether one more try may start, for a request that has stood in line for ``waited_s``."""
        self.tick(now=now)
        return self.limit is None or self.in_flight < self.limit or self._test_due(now, waited_s)

    def started(self, *, now: float, waited_s: float = 0.0) -> Token:
        """A try starts. It is counted even when there is no room: in a panic the caller knows better."""
        self.tick(now=now)
        test = self.limit is not None and self._test_due(now, waited_s)
        self.in_flight += 1
        self._number += 1
        token = Token(self._number, self.in_flight, now, test=test)
        self._pending.append(token)
        if test:
            self._test = token
        return token

    def refused(self, token: Token, *, now: float) -> None:
        """The vendor had no room for this try. A token that has already ended changes nothing."""
        if token.ended:
            return
        self.tick(now=now)
        token.ended = True
        self.in_flight -= 1
        for later in reversed(self._pending):
            if later.number <= token.number:
                break
            later.concurrency -= 1  # a refused try held no place at the vendor, so those after it had one more
        self._saturated_s = 0.0
        at_edge = token.concurrency > self._knobs.edge_share * self._largest_accepted(now)
        if at_edge:
            self._refused_at.append(now)
            self._lower(token, now)
        self._put_off(token, now, at_edge=at_edge)

    def finished(self, token: Token, *, now: float) -> None:
        """The try ended in any other way, so the vendor had taken it. A token that has ended changes nothing."""
        if token.ended:
            return
        self.tick(now=now)
        if not token.accepted:
            self._accept(token, now)
        token.ended = True
        self.in_flight -= 1

    def tick(self, *, now: float) -> None:
        """Let time pass: acceptance by age, growth, forgetting. The other methods do this first; cheap to repeat."""
        pending = self._pending
        while pending and (pending[0].ended or now - pending[0].started_at >= self._knobs.accepted_after_s):
            token = pending.popleft()
            if not token.ended and not token.accepted:
                self._accept(token, now)
        if self.limit is None:
            return
        if self.in_flight >= self.limit:
            self._met_at = now
            # More than the limit is in flight only from better times or in a panic; that does not speak for more.
            if self.in_flight == self.limit:
                self._saturated_s += now - self._seen_at
            if self._saturated_s >= self._raise_after_s:
                self.limit += 1
                self._saturated_s = 0.0
                self._growth_on_trial = True
        elif now - self._met_at >= self._knobs.forget_s:
            self._forget()
        self._seen_at = now

    def _test_due(self, now: float, waited_s: float) -> bool:
        # Only just beyond the limit: while more than that is in flight from better times, a test would say nothing.
        return (
            self.in_flight == self.limit
            and self._test is None
            and waited_s >= self._knobs.test_wait_s
            and now >= self._next_test_at
        )

    def _largest_accepted(self, now: float) -> int:
        accepted = self._accepted
        while accepted and now - accepted[0][0] > self._knobs.accepted_within_s:
            accepted.popleft()
        return accepted[0][1] if accepted else 0

    def _accept(self, token: Token, now: float) -> None:
        token.accepted = True
        accepted = self._accepted
        while accepted and accepted[-1][1] <= token.concurrency:
            accepted.pop()
        accepted.append((now, token.concurrency))
        if token is self._test:
            self._test = None
            self._test_interval_s = self._knobs.test_wait_s
            self._next_test_at = now
            if self.limit is not None:
                self.limit = max(self.limit, token.concurrency)
                self._raise_after_s = self._knobs.raise_after_s
        elif self._growth_on_trial and self.limit is not None and token.concurrency >= self.limit:
            self._growth_on_trial = False
            self._raise_after_s = self._knobs.raise_after_s

    def _lower(self, token: Token, now: float) -> None:
        lower = max(1, token.concurrency - 1)
        if self.limit is not None:
            self.limit = min(self.limit, lower)
        elif len(self._refused_at) == self._refused_at.maxlen and (
            now - self._refused_at[0] <= self._knobs.refusals_within_s
        ):
            self.limit = lower
            self._reacted_at = now
            self._seen_at = now
        self._met_at = now

    def _put_off(self, token: Token, now: float, *, at_edge: bool) -> None:
        """Growth and tests wait longer after a refusal. Refusals of tries that began together are one reason."""
        knobs = self._knobs
        if token is self._test:
            self._test = None
            self._next_test_at = now + self._test_interval_s
            self._test_interval_s = min(2 * self._test_interval_s, knobs.max_test_wait_s)
        elif at_edge:
            self._next_test_at = max(self._next_test_at, now + knobs.test_wait_s)
        if self.limit is not None and (at_edge or token.test):
            self._growth_on_trial = False
            if token.started_at > self._reacted_at:
                self._reacted_at = now
                self._raise_after_s = min(2 * self._raise_after_s, knobs.max_raise_after_s)

    def _forget(self) -> None:
        self.limit = None
        self._refused_at.clear()
        self._test = None
        self._test_interval_s = self._knobs.test_wait_s
        self._next_test_at = 0.0
        self._raise_after_s = self._knobs.raise_after_s
        self._saturated_s = 0.0
        self._growth_on_trial = False
