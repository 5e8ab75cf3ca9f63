"""Route tables: what a door serves, and what each route asks of its caller.

A route cannot be added to a table without its access, and an application with a route that came from elsewhere (a
mount, a router, a decorator) is refused, so that nobody opens a path by forgetting to say who may call it. The edge
asks ``Permissions`` with the very patterns the router matches, so the two cannot disagree about a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, compile_path

from app.accounts.access import STRICTNESS, Access


class UndeclaredRouteError(Exception):
    """A route does not say who may call it. The message is one sentence for whoever added it."""


@dataclass(frozen=True, slots=True)
class _Declared:
    path: str
    endpoint: Callable[..., Any]
    methods: tuple[str, ...]
    access: Access


class RouteTable:
    """The routes of one door, in the order in which they are tried."""

    def __init__(self) -> None:
        self._declared: list[_Declared] = []

    def add(self, path: str, endpoint: Callable[..., Any], *, methods: Sequence[str], access: Access) -> None:
        """Serve ``path``; what stands in it for ``{name}`` and ``{name:path}`` an endpoint finds in the request's
        ``path_params``. An endpoint that takes more than the request has the framework load models it has no use for.
        """
        self._declared.append(_Declared(path, endpoint, tuple(methods), access))

    def patterns(self) -> list[tuple[re.Pattern[str], Access]]:
        """What the router matches paths with; each with its access."""
        return [(compile_path(each.path)[0], each.access) for each in self._declared]

    def fixed_paths(self) -> list[str]:
        """The paths in which nothing varies."""
        return [each.path for each in self._declared if "{" not in each.path]

    def register(self, app: FastAPI) -> list[BaseRoute]:
        """Add the routes to the application."""
        before = len(app.routes)
        for each in self._declared:
            app.add_api_route(each.path, each.endpoint, methods=list(each.methods))
        return app.routes[before:]


class Permissions:
    """What each path asks of its caller."""

    def __init__(self, routes: Sequence[tuple[re.Pattern[str], Access]], paths: Iterable[str] = ()) -> None:
        """``paths``: those that are asked for most, to be looked up rather than matched."""
        self._routes = tuple(routes)
        self._lenient = tuple(pattern for pattern, access in routes if access is not Access.KEY)
        self._known = {path: self._matched(path) for path in paths}

    def of(self, path: str) -> Access:
        """What the path asks for: a key, unless a route that asks for less serves exactly this spelling and none that
        asks for more does."""
        known = self._known.get(path)
        return self._matched(path) if known is None else known

    def _matched(self, path: str) -> Access:
        if not any(pattern.fullmatch(path) for pattern in self._lenient):
            return Access.KEY
        return max((access for pattern, access in self._routes if pattern.match(path)), key=STRICTNESS.__getitem__)


def permissions_of(*tables: RouteTable) -> Permissions:
    """What the routes of these tables ask for."""
    return Permissions(
        [each for table in tables for each in table.patterns()],
        [path for table in tables for path in table.fixed_paths()],
    )


def registered(app: FastAPI, *tables: RouteTable) -> Permissions:
    """Add every table's routes to the application, which then has no other. Raises UndeclaredRouteError."""
    known = {id(route) for table in tables for route in table.register(app)}
    for route in app.routes:
        if id(route) not in known:
            named = getattr(route, "path", None) or type(route).__name__
            raise UndeclaredRouteError(
                f"The route {named} does not say who may call it: add it to a RouteTable, with its access."
            )
    return permissions_of(*tables)
