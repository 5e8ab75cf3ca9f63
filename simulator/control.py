"""The control interface: order faults, change tempers, read the books and the journal, begin anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.bodies import Unreadable, read_json
from simulator.delivery import Endpoint
from simulator.faults import Fault, Kind, able
from simulator.vendors import Vendor
from simulator.world import World

EVERY = "*"
LARGEST_NUMBER = 1e15
"""In either direction; whole numbers up to it are exact as floats."""


class Misordered(Exception):
    """An order that cannot be carried out; the text says what is right."""


class Control:
    """Routes under ``/_control``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """All of them."""
        table: list[tuple[str, str, Callable[[Request], Any]]] = [
            ("GET", "faults", self._list_faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("GET", "settings", self._get_settings),
            ("POST", "settings", self._change_settings),
            ("GET", "books", self._books),
            ("GET", "requests", self._requests),
            ("GET", "inputs", self._inputs),
            ("POST", "reset", self._reset),
        ]
        return [Route(f"/_control/{path}", _answered(call), methods=[method]) for method, path, call in table]

    async def _list_faults(self, _request: Request) -> Any:
        return [_shown(fault, self._world.clock()) for fault in self._world.faults.standing()]

    async def _add_fault(self, request: Request) -> Any:
        order = await _object(
            request, {"provider", "model", "kind", "rate", "count", "seconds", "params"}, required=("provider", "kind")
        )
        vendors = _vendors(order["provider"])
        kind = _kind(order["kind"])
        unable = vendors - able(kind)
        if order["provider"] != EVERY and unable:
            raise Misordered(f"{order['provider']} cannot show {kind}; these can: {_listed(able(kind))}")
        params = order.get("params") or {}
        if not isinstance(params, dict):
            raise Misordered("params must be an object")
        rate = _number(order, "rate", 0.0, 1.0)
        count = _number(order, "count", 1, math.inf, whole=True)
        fault = self._world.faults.add(
            vendors & able(kind),
            kind,
            model=_text(order, "model", EVERY),
            rate=1.0 if rate is None else rate,
            count=None if count is None else int(count),
            seconds=_number(order, "seconds", 0.0, math.inf),
            params=params,
        )
        return _shown(fault, self._world.clock())

    async def _clear_faults(self, request: Request) -> Any:
        name = request.query_params.get("provider", EVERY)
        vendors = _vendors(name)
        return {"removed": self._world.faults.clear(None if name == EVERY else next(iter(vendors)))}

    async def _get_settings(self, _request: Request) -> Any:
        return {
            vendor.value: {
                "latency_s": temper.latency_s,
                "success_rate": temper.success_rate,
                "concurrency": temper.concurrency,
                "time_scale": temper.time_scale,
            }
            for vendor, temper in self._world.tempers.items()
        }

    async def _change_settings(self, request: Request) -> Any:
        order = await _object(
            request, {"provider", "latency_s", "success_rate", "concurrency", "time_scale"}, required=("provider",)
        )
        vendors = _vendors(order["provider"])
        latency = _number(order, "latency_s", 0.0, math.inf)
        success = _number(order, "success_rate", 0.0, 1.0)
        concurrency = _number(order, "concurrency", 1, math.inf, whole=True)
        scale = _number(order, "time_scale", 0.001, 1_000_000.0)
        for vendor in vendors:
            temper = self._world.tempers[vendor]
            if "latency_s" in order:
                temper.latency_s = latency
            if "concurrency" in order:
                temper.concurrency = None if concurrency is None else int(concurrency)
            if success is not None:
                temper.success_rate = success
            if scale is not None:
                temper.time_scale = scale
        return await self._get_settings(request)

    async def _books(self, _request: Request) -> Any:
        self._world.settle()
        return list(self._world.books.rows())

    async def _requests(self, _request: Request) -> Any:
        return list(self._world.journal)

    async def _inputs(self, _request: Request) -> Any:
        return list(self._world.inputs)

    async def _reset(self, request: Request) -> Any:
        order = await _object(request, {"seed"}, required=())
        seed = _number(order, "seed", -math.inf, math.inf, whole=True)
        self._world.reset(self._world.settings.seed if seed is None else int(seed))
        return {"seed": self._world.seed}


def _answered(call: Callable[[Request], Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await call(request))
        except Misordered as error:
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


async def _object(request: Request, known: set[str], required: Iterable[str]) -> dict[str, Any]:
    try:
        order = await read_json(request, empty="{}")
    except Unreadable as error:
        raise Misordered(str(error)) from None
    if not isinstance(order, dict):
        raise Misordered("the body must be a JSON object")
    if strange := sorted(set(order) - known):
        raise Misordered(f"unknown field {', '.join(strange)[:100]}; known: {_listed(known)}")
    if missing := [name for name in required if order.get(name) is None]:
        raise Misordered(f"missing field {', '.join(missing)}")
    return order


def _vendors(name: Any) -> frozenset[Vendor]:
    if name == EVERY:
        return frozenset(Vendor)
    if not isinstance(name, str) or name not in set(Vendor):
        raise Misordered(f"unknown provider {_quoted(name)}; known: {_listed(Vendor)} and * for all")
    return frozenset({Vendor(name)})


def _quoted(value: Any) -> str:
    """A wrong value as an error tells it: not at length."""
    return repr(value)[:100]


def _kind(name: Any) -> Kind:
    if isinstance(name, int) and not isinstance(name, bool) and name in range(1000):
        name = str(name)
    if not isinstance(name, str) or name not in set(Kind):
        raise Misordered(f"unknown kind {_quoted(name)}; known: {', '.join(Kind)}")
    return Kind(name)


def _number(order: dict[str, Any], name: str, least: float, most: float, *, whole: bool = False) -> float | None:
    """The field, ``None`` when absent or null."""
    value = order.get(name)
    if value is None:
        return None
    fine = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= LARGEST_NUMBER
        and least <= value <= most
    )
    if not fine or (whole and value != int(value)):
        upper = "" if most == math.inf else f" and at most {most:g}"
        lower = "" if least == -math.inf else f" of at least {least:g}"
        raise Misordered(f"{name} must be a {'whole ' if whole else ''}number{lower}{upper}")
    return float(value)


def _text(order: dict[str, Any], name: str, default: str) -> str:
    value = order.get(name, default)
    if not isinstance(value, str) or not value:
        raise Misordered(f"{name} must be a text")
    return value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _shown(fault: Fault, now: float) -> dict[str, Any]:
    return {
        "number": fault.number,
        "providers": sorted(vendor.value for vendor in fault.vendors),
        "model": fault.model,
        "kind": fault.kind.value,
        "rate": fault.rate,
        "count": fault.count,
        "seconds": None if fault.until is None else max(fault.until - now, 0.0),
        "params": fault.params,
        "hits": fault.hits,
    }
