"""Charts: pictures as SVG text, drawn without a library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.routing.measure import BIN_S, Run
from benchmarks.routing.summary import ORACLE, Line
from benchmarks.routing.world import World

_COLOURS: Final = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#222222")
_LEFT, _RIGHT, _TOP, _ROW = 170, 20, 46, 34
_WIDTH: Final = 1000
_HIGHEST_RATIO: Final = 1.6
"""Larger ratios are drawn at the edge."""
_LANE: Final = 3.5
"""Height of one router's lane within the row of a world."""
_TRAFFIC_HEIGHT: Final = 120
_SMOOTHED_BINS: Final = 3


def ratio_chart(runs: Sequence[Run], summed: Sequence[Line]) -> str:
    """J over the oracle's: a group of dots for each world, a colour for each router, bars for the 95 % intervals."""
    routers = [router for router in dict.fromkeys(line.router for line in summed) if router != ORACLE]
    worlds = list(dict.fromkeys(line.world for line in summed))
    colours = {router: _COLOURS[number % len(_COLOURS)] for number, router in enumerate(routers)}
    height = _TOP + _ROW * len(worlds) + 40
    body = [_text(10, 20, f"J over the oracle's J, {runs[0].objective}", size=14)]
    body += _legend(colours)
    for tick in range(7):
        ratio = 1.0 + 0.1 * tick
        body.append(_line(_at(ratio), _TOP - 4, _at(ratio), height - 34, "#dddddd"))
        body.append(_text(_at(ratio) - 8, height - 18, f"{ratio:.1f}"))
    for row, world in enumerate(worlds):
        middle = _TOP + _ROW * row + _ROW / 2
        body.append(_text(10, middle + 4, world))
        for each in summed:
            if each.world == world and each.router != ORACLE:
                lane = middle + (routers.index(each.router) - (len(routers) - 1) / 2) * _LANE
                body.append(_line(_at(each.ratio.low), lane, _at(each.ratio.high), lane, colours[each.router], 2))
                body.append(_dot(_at(each.ratio.mean), lane, colours[each.router]))
    return _svg(height, body)


def traffic_chart(world: World, runs: Sequence[Run]) -> str:
    """Where requests began, minute by minute, one band for each router; grey: a provider is sick."""
    colours = {provider: _COLOURS[number] for number, provider in enumerate(world.providers)}
    height = _TOP + (_TRAFFIC_HEIGHT + 36) * max(1, len(runs))
    body = [_text(10, 20, f"{world.name} (seed {world.seed}): where requests begin", size=14), *_legend(colours)]
    scale = (_WIDTH - _LEFT - _RIGHT) / world.duration_s
    for row, run in enumerate(runs):
        top = _TOP + row * (_TRAFFIC_HEIGHT + 36)
        base = top + _TRAFFIC_HEIGHT
        body.append(_text(10, top + _TRAFFIC_HEIGHT / 2, run.router))
        body += [
            _band(_LEFT + each.start * scale, top, (min(each.end, world.duration_s) - each.start) * scale)
            for each in world.sicknesses
        ]
        for provider, counts in run.traffic.items():
            shares = _shares(counts, run)
            points = " ".join(
                f"{_LEFT + (number + 0.5) * BIN_S * scale:.1f},{base - share * _TRAFFIC_HEIGHT:.1f}"
                for number, share in enumerate(shares)
            )
            body.append(f'<polyline points="{points}" fill="none" stroke="{colours[provider]}" stroke-width="1.5"/>')
        body.append(_line(_LEFT, base, _WIDTH - _RIGHT, base, "#888888"))
        for minutes in range(0, int(world.duration_s / 60) + 1, 20):
            body.append(_text(_LEFT + minutes * 60 * scale - 8, base + 16, f"{minutes} min"))
    return _svg(height, body)


def _shares(counts: Sequence[int], run: Run) -> list[float]:
    """The provider's share of the requests, over a few bins at a time."""
    totals = [sum(column) for column in zip(*run.traffic.values(), strict=True)]
    shares = []
    for place in range(len(counts)):
        around = slice(max(0, place - _SMOOTHED_BINS // 2), place + _SMOOTHED_BINS // 2 + 1)
        shares.append(sum(counts[around]) / max(1, sum(totals[around])))
    return shares


def _at(ratio: float) -> float:
    share = (min(max(ratio, 0.98), _HIGHEST_RATIO) - 0.98) / (_HIGHEST_RATIO - 0.98)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _legend(colours: dict[str, str]) -> list[str]:
    parts = []
    place = 14.0
    for name, colour in colours.items():
        parts += [_dot(place, 34, colour), _text(place + 8, 38, name)]
        place += 22 + 7 * len(name)
    return parts


def _text(x: float, y: float, text: str, *, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _band(x: float, top: float, width: float) -> str:
    return f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_TRAFFIC_HEIGHT}" fill="#eeeeee"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def _svg(height: float, body: Sequence[str]) -> str:
    inside = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" font-family="sans-serif">\n'
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="white"/>\n{inside}\n</svg>\n'
    )
