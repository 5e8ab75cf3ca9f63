"""Limits: what admission holds requests to, as the operator set it, else as the machine bears it."""

from __future__ import annotations

from dataclasses import dataclass

from app.admission.descriptors import fits, needed

MAX_IN_FLIGHT = 10_000
"""Where descriptors allow it: at some 45 KB each they take 450 MB, and at 20 s each they are 500 images a second, which
is what one process has the processor for."""
QUEUE_LIMIT = 1000
QUEUE_SECONDS = 10.0
"""An image takes 10 to 60 s, so within ten seconds a good part of what is in flight has ended; and what stands between
caller and gateway often cuts a connection that was silent for 60 s, of which this leaves most to the image."""
BUDGET_SHARE = 4
"""The budget is this part of the memory. Spooled bodies are page cache while they are hot: a quarter stays in memory
without taking it from the heap, and even where the spool folder is memory (tmpfs) the rest is left."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Of one process."""

    max_in_flight: int = MAX_IN_FLIGHT
    """Image requests at once."""
    max_in_flight_per_key: int | None = None
    """Of these, with one key; None: as many."""
    queue_limit: int = QUEUE_LIMIT
    """Requests that may wait to be admitted."""
    queue_s: float = QUEUE_SECONDS
    """Seconds a request waits at most before it is refused."""
    body_budget: int = 256 * 1024 * 1024
    """Bytes of bodies held at once."""


def limits_for(
    *,
    max_in_flight: int | None,
    max_in_flight_per_key: int | None,
    queue_limit: int,
    queue_s: float,
    body_budget: int | None,
    workers: int,
    memory: int,
    descriptors: int,
) -> AdmissionLimits:
    """The operator's limits; what is None there follows from the machine's memory, in bytes, and a process's
    descriptors. Memory is the one thing that ``workers`` of one machine have in common, so they share the budget."""
    return AdmissionLimits(
        max_in_flight=min(MAX_IN_FLIGHT, fits(descriptors)) if max_in_flight is None else max_in_flight,
        max_in_flight_per_key=max_in_flight_per_key,
        queue_limit=queue_limit,
        queue_s=queue_s,
        body_budget=(memory // BUDGET_SHARE if body_budget is None else body_budget) // workers,
    )


def too_few_descriptors(wanted: int | None, descriptors: int) -> str | None:
    """What the operator is told at the start when descriptors do not do for the requests in flight wanted (None: as
    many as usual); None when they do."""
    aim = MAX_IN_FLIGHT if wanted is None else wanted
    if needed(aim) <= descriptors:
        return None
    consequence = (
        f"at most {fits(descriptors):,} requests are in flight at once instead of {aim:,}"
        if wanted is None
        else f"{aim:,} requests in flight (GATEWAY_MAX_IN_FLIGHT) may run out of them"
    )
    return (
        f"The limit of open files is {descriptors:,}, so {consequence}: raise the hard limit (ulimit -n, LimitNOFILE, "
        f"docker's --ulimit nofile) to {needed(aim):,}."
    )
