"""Route: the plan for a request on the command line, from the configuration alone or from a running gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.catalog.catalog import UnknownModelError
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.route_plan import explained
from app.doors.openai_images.schema import parse_body
from app.doors.openai_images.translate import translate
from app.gateway import Choice
from app.main import load
from app.settings import Settings
from providers.registry import PROVIDERS
from routing.board import Board
from routing.wishes import EXCLUDING

ANSWER_S = 15.0
"""Longest a gateway may take to answer with a plan, which it makes in milliseconds."""
_SURE_TO_FIT = 160
"""Columns of a table that goes into a file or a pipe."""


class NoRouteError(Exception):
    """There is no plan to show. The message is one sentence for the person who asked for it."""


def show_route(
    settings: Settings, out: Console, err: Console, *, body: Mapping[str, object], url: str | None, as_json: bool
) -> None:
    """Print the plan for a request whose body is ``body``; None in it means not said.

    ``url``: of the gateway to ask; None: nobody is asked, and the figures are what the configuration expects.
    Raises CatalogError, and NoRouteError, also after a plan was printed by which nobody would be tried.
    """
    said = {name: value for name, value in body.items() if value is not None}
    plan = _asked(url, settings, said) if url is not None else _expected(settings, err, said)
    plans = (plan, *plan.get("fallback_models", ()))
    if as_json:
        out.print_json(json.dumps(plan))
    else:
        wide = out if out.is_terminal else Console(file=out.file, highlight=False, width=_SURE_TO_FIT)
        for each in plans:
            wide.print(rendered(each))
    if not any(each["candidates"] for each in plans):
        raise NoRouteError(refusal(plan))


def refusal(plan: Mapping[str, Any]) -> str:
    """What the caller of a request with this plan is told, which has no candidate; in the verdict's words.

    Told from the plan as it is answered, for that is all there is of a running gateway's. A price cap is not foreseen,
    because this command sends none.
    """
    # Those that could be asked but for what they lack go before those that were left out by name.
    rejected = sorted(plan["rejected"], key=lambda each: each["parameter"] in EXCLUDING)
    return f"No provider of {plan['model']} can do what was asked: {'; '.join(each['reason'] for each in rejected)}."


def rendered(plan: Mapping[str, Any]) -> Table:
    """A plan as a table for a terminal: the candidates in order, then who is left out and why."""
    at = f" at {plan['resolution']}" if plan["resolution"] is not None else ""
    table = Table(
        title=f"{plan['model']}, {plan['operation']}{at}, {plan['policy']}",
        title_justify="left",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("rank", justify="right")
    table.add_column("provider")
    table.add_column("provider model", overflow="fold")
    for name in ("USD", "seconds", "success", "samples", "index"):
        table.add_column(name, justify="right")
    table.add_column("reason", overflow="fold")
    for candidate in plan["candidates"]:
        table.add_row(
            str(candidate["rank"]),
            Text(candidate["provider"], style="bold" if candidate["rank"] == 1 else ""),
            Text(candidate["provider_model"]),
            Text(candidate["price_usd"]),
            _figure(candidate["expected_seconds"], ".1f"),
            _figure(candidate["success"], ".1%"),
            str(candidate["samples"]),
            _figure(candidate["index"], ".4f"),
            Text(candidate["reason"]),
        )
    if plan["candidates"] and plan["rejected"]:
        table.add_section()
    for rejection in plan["rejected"]:
        table.add_row("-", Text(rejection["provider"], style="dim"), *[""] * 6, Text(rejection["reason"], style="dim"))
    return table


def _figure(figure: float | None, spelt: str) -> str:
    return "-" if figure is None else format(figure, spelt)


def _expected(settings: Settings, err: Console, body: Mapping[str, object]) -> dict[str, Any]:
    """The plan of a gateway that was just started with these settings and that nobody has asked for anything yet."""
    catalog = load(settings)
    given = [name for name in PROVIDERS if settings.access(name).given]
    if given:
        catalog = catalog.restricted_to(given)
    else:
        err.print("No provider key is set: the plan is that of a gateway with all of them.")
    policy = catalog.policy
    try:
        parsed = parse_body(
            body,
            editing=False,
            max_timeout_s=policy.max_timeout_s,
            policies=tuple(policy.objectives),
            providers=PROVIDERS,
        )
        found = catalog.find(parsed.model, default_model=settings.gateway_default_model)
        translated = translate(parsed, found)
    except (ApiError, UnknownModelError) as refused:
        raise NoRouteError(str(refused)) from None
    for warning in translated.warnings:
        err.print(f"{warning.parameter}: {warning.message}", markup=False)
    return explained(
        [Choice(translated.request, found.model, catalog.offers_of(found), translated.wishes)],
        Board(catalog.offers, policy),
        catalog.prices,
        policy,
        now=time.time(),
        timeout_s=translated.timeout_s,
    )


def _asked(url: str, settings: Settings, body: Mapping[str, object]) -> dict[str, Any]:
    """The plan a running gateway would follow now. The first of the callers' keys goes with the question, if any."""
    import requests  # here: 5 MB that a server, started by the same command line, need not hold

    base = url.rstrip("/").removesuffix("/v1")
    keys = settings.api_keys
    headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}
    try:
        # A redirect would take the key elsewhere.
        answer = requests.post(
            f"{base}/v1/route", json=dict(body), headers=headers, timeout=ANSWER_S, allow_redirects=False
        )
        document = answer.json()
    except requests.JSONDecodeError:
        raise NoRouteError(f"What answers at {base} is no gateway: status {answer.status_code}, and no JSON.") from None
    except (requests.RequestException, ValueError) as failed:
        raise NoRouteError(f"The gateway at {base} does not answer ({type(failed).__name__}).") from None
    if answer.status_code == HTTPStatus.OK and _is_plan(document):
        return document  # type: ignore[no-any-return]
    raise NoRouteError(_told(document) or f"The gateway at {base} answers {answer.status_code} and no plan.")


def _is_plan(document: object) -> bool:
    return isinstance(document, dict) and document.get("object") == "route_plan"


def _told(document: object) -> str | None:
    """The sentence of an error envelope."""
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None
