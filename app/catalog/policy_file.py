"""policy.toml: its shape, what its knobs must promise about each other, and the Policy they make."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from app.catalog.files import read, wrong
from app.catalog.shapes import Count, Name, Names, Probability, Seconds, StrictShape
from providers.spec.request import Resolution
from routing.knobs import (
    OBJECTIVES,
    BreakerKnobs,
    ExplorationKnobs,
    HedgeKnobs,
    LimitKnobs,
    Objective,
    Priors,
    StatisticsKnobs,
)
from routing.policy import Policy

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class ByResolution(StrictShape):
    """A figure for every resolution."""

    r512: Annotated[Positive, Field(alias="512")]
    r1k: Annotated[Positive, Field(alias="1K")]
    r2k: Annotated[Positive, Field(alias="2K")]
    r4k: Annotated[Positive, Field(alias="4K")]

    def figures(self) -> Mapping[Resolution, float]:
        """The figures by resolution."""
        return MappingProxyType({Resolution(tier): figure for tier, figure in self.model_dump(by_alias=True).items()})


class ObjectiveTable(StrictShape):
    """One ``[policies.<name>]``; a ``routing.knobs.Objective``."""

    value_of_time_usd_per_s: NotNegative
    failed_try_usd: NotNegative
    failed_request_usd: NotNegative
    failed_request_s: NotNegative
    hedge_share: Share


class PriorsTable(StrictShape):
    """``[priors]``; ``routing.knobs.Priors``."""

    seconds: Seconds
    success: Probability
    failure_s: Seconds
    size_factors: ByResolution


class StatisticsTable(StrictShape):
    """``[statistics]``; ``routing.knobs.StatisticsKnobs``."""

    fast_half_life_s: Seconds
    fast_pseudo: Annotated[float, Field(ge=0.001, allow_inf_nan=False)]
    slow_half_life_s: Seconds
    slow_pseudo: Annotated[float, Field(ge=0.001, allow_inf_nan=False)]
    latency_half_life_s: Seconds
    long_run_half_life_s: Seconds
    latency_pseudo: Positive
    sigma_prior: Positive
    sigma_pseudo: Positive
    sigma_min: Positive
    sigma_max: Positive
    sibling_weight: Share
    failure_half_life_s: Seconds
    failure_pseudo: Positive
    change_drift: NotNegative
    change_threshold: Positive
    change_keep: Count
    return_threshold: Positive
    censor_sigmas: NotNegative
    censor_min_running: Count
    censor_share: Share
    censor_weight: NotNegative
    family_success: Probability
    family_pseudo: Positive
    unsupported_s: Seconds


class BreakerTable(StrictShape):
    """``[breaker]``; ``routing.knobs.BreakerKnobs``."""

    failing_success: Probability
    trip: Positive
    success_min: Probability
    success_max: Probability
    open_s: Seconds
    max_open_s: Seconds
    again_s: Seconds
    panic_wait_s: Seconds


class LimitsTable(StrictShape):
    """``[limits]``; ``routing.knobs.LimitKnobs``."""

    refusals: Count
    refusals_within_s: Seconds
    edge_share: Share
    accepted_within_s: Seconds
    raise_after_s: Seconds
    max_raise_after_s: Seconds
    forget_s: Seconds
    test_wait_s: Seconds
    max_test_wait_s: Seconds
    accepted_after_s: Seconds
    max_wait_s: Seconds
    max_waiting: Count


class ExplorationTable(StrictShape):
    """``[exploration]``; ``routing.knobs.ExplorationKnobs``."""

    share: Share
    burst: NotNegative
    likely_s: Seconds
    hopeful_s: Seconds
    hope: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    lease_s: Seconds


class HedgingTable(StrictShape):
    """``[hedging]``; ``routing.knobs.HedgeKnobs``."""

    enabled: bool
    first_look_sigmas: Annotated[float, Field(ge=0, le=10)]
    look_s: Seconds
    margin: Positive
    burst: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    load_share: Share


class PolicyFile(StrictShape):
    """policy.toml. Every knob must be present; routing.policy and routing.knobs say what each means."""

    request_deadline_s: Seconds
    max_timeout_s: Seconds
    max_attempts: Count
    max_possible_payments: Count
    max_tries_per_offer: Count
    again_after_s: Seconds
    sigmas: Annotated[float, Field(gt=0, le=10)]
    min_attempt_limit_s: Seconds
    refusal_policy: Literal["stop", "second_opinion", "ladder"]
    first_block_s: Seconds
    default_block_s: Seconds
    max_block_s: Seconds
    out_probe_s: Seconds
    out_long_s: Seconds
    default_retry_after_s: Seconds
    max_retry_after_s: Annotated[Seconds, Field(le=60)]
    submit_grace_s: Seconds
    cancel_limit_s: Seconds
    sharing_interval_s: Seconds
    default_policy: Name
    forbidden_providers: Names
    attempt_limit_s: ByResolution
    policies: dict[Name, ObjectiveTable]
    priors: PriorsTable
    statistics: StatisticsTable
    breaker: BreakerTable
    limits: LimitsTable
    exploration: ExplorationTable
    hedging: HedgingTable
    weights: dict[Name, Positive]
    caps: dict[Name, Count]
    families: dict[Name, Name]


_ORDERED = (
    ("request_deadline_s", "max_timeout_s"),
    ("first_block_s", "default_block_s"),
    ("default_block_s", "max_block_s"),
    ("out_probe_s", "out_long_s"),
    ("default_retry_after_s", "max_retry_after_s"),
    ("statistics.fast_half_life_s", "statistics.slow_half_life_s"),
    ("statistics.latency_half_life_s", "statistics.long_run_half_life_s"),
    ("statistics.sigma_min", "statistics.sigma_prior"),
    ("statistics.sigma_prior", "statistics.sigma_max"),
    # Between the two the breaker's steps change sign, and successes would trip it.
    ("breaker.failing_success", "breaker.success_min"),
    ("breaker.success_min", "breaker.success_max"),
    ("breaker.open_s", "breaker.max_open_s"),
    ("limits.raise_after_s", "limits.max_raise_after_s"),
    ("limits.test_wait_s", "limits.max_test_wait_s"),
    *((f"attempt_limit_s.{resolution.value}", "max_timeout_s") for resolution in Resolution),
    *(("min_attempt_limit_s", f"attempt_limit_s.{resolution.value}") for resolution in Resolution),
)
"""Pairs of knobs of which the first may not be above the second."""


def read_policy(file: Path, *, providers: Collection[str]) -> Policy:
    """The policy in ``file``. ``providers`` are the names it may speak of. Raises CatalogError."""
    shape = read(file, PolicyFile)
    _check_order(file, shape)
    _check_policies(file, shape)
    _check_providers(file, shape, providers)
    tables = {"attempt_limit_s", "policies", "priors", "statistics", "breaker", "limits", "exploration", "hedging"}
    named = {"forbidden_providers", "weights", "caps", "families"}
    return Policy(
        **shape.model_dump(exclude=tables | named),
        attempt_limit_s=shape.attempt_limit_s.figures(),
        objectives=MappingProxyType({name: Objective(**table.model_dump()) for name, table in shape.policies.items()}),
        priors=Priors(
            **shape.priors.model_dump(exclude={"size_factors"}), size_factors=shape.priors.size_factors.figures()
        ),
        statistics=StatisticsKnobs(**shape.statistics.model_dump()),
        breaker=BreakerKnobs(**shape.breaker.model_dump()),
        limits=LimitKnobs(**shape.limits.model_dump()),
        exploration=ExplorationKnobs(**shape.exploration.model_dump()),
        hedging=HedgeKnobs(**shape.hedging.model_dump()),
        forbidden_providers=frozenset(shape.forbidden_providers),
        weights=MappingProxyType(shape.weights),
        caps=MappingProxyType(shape.caps),
        families=MappingProxyType(shape.families),
    )


def _check_order(file: Path, shape: PolicyFile) -> None:
    values = dict(_flat(shape.model_dump(by_alias=True)))
    for lower, upper in _ORDERED:
        if values[lower] > values[upper]:
            wrong(file, lower, f"{values[lower]:g} is above {upper}, which is {values[upper]:g}")


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number of the table under its path."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", value


def _check_policies(file: Path, shape: PolicyFile) -> None:
    for name in OBJECTIVES:
        if name not in shape.policies:
            wrong(file, f"policies.{name}", "the table is missing")
    if shape.default_policy not in shape.policies:
        wrong(file, "default_policy", f'"{shape.default_policy}" is not one of {_listed(shape.policies)}')


def _check_providers(file: Path, shape: PolicyFile, providers: Collection[str]) -> None:
    for key, named in (
        ("forbidden_providers", shape.forbidden_providers),
        ("weights", shape.weights),
        ("caps", shape.caps),
        ("families", shape.families),
    ):
        for provider in named:
            if provider not in providers:
                wrong(file, key, f'"{provider}" is not one of {_listed(sorted(providers))}')
    if not set(providers) - set(shape.forbidden_providers):
        wrong(file, "forbidden_providers", "every provider is forbidden, and nobody is left to serve a request")


def _listed(names: Collection[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
