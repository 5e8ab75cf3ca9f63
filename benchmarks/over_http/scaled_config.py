"""Scaled configuration: a copy of the shipped ``config/`` in which everything happens so many times faster."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.settings import PROJECT_ROOT

SHIPPED: Final = PROJECT_ROOT / "config"
_SETTING: Final = re.compile(r'^(?P<key>"?[A-Za-z0-9_]+"?) = (?P<value>.+)$', re.MULTILINE)
_TABLE: Final = re.compile(r"^\[(?P<name>[a-z_.]+)\]$")
_UNCHANGED: Final[Mapping[str, str]] = MappingProxyType({})


def write_scaled_config(folder: Path, by: float, *, changed: Mapping[str, str] = _UNCHANGED) -> Path:
    """Copy the shipped configuration into ``folder``, every duration divided by ``by``; returns the folder.

    Seconds are divided, USD per second multiplied, so that routing weighs as before. ``changed`` maps paths in
    policy.toml, such as ``statistics.fast_pseudo`` or ``sharing_interval_s``, to values in TOML that are written as
    they are. Raises KeyError for a path the file does not have.
    """
    shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
    policy, models = folder / "policy.toml", folder / "models.toml"
    policy.write_text(_scaled_policy(policy.read_text(), by, changed))
    models.write_text(_SETTING.sub(lambda found: _scaled_expectation(found, by), models.read_text()))
    return folder


def _scaled_policy(text: str, by: float, changed: Mapping[str, str]) -> str:
    lines, table, left = [], "", dict(changed)
    for line in text.splitlines():
        header, setting = _TABLE.match(line), _SETTING.match(line)
        if header is not None:
            table = header["name"]
            lines.append(line)
            lines += [f"{path.rpartition('.')[2]} = {left.pop(path)}" for path in list(left) if _added(path, table)]
        elif setting is not None:
            path = ".".join(part for part in (table, setting["key"].strip('"')) if part)
            value = left.pop(path) if path in left else _scaled(table, setting["key"], setting["value"], by)
            lines.append(f"{setting['key']} = {value}")
        else:
            lines.append(line)
    if left:
        raise KeyError(", ".join(left))
    return "\n".join(lines) + "\n"


def _added(path: str, table: str) -> bool:
    """Whether the path is a new entry of a table that is keyed by provider."""
    return table in {"weights", "caps"} and path.startswith(f"{table}.")


def _scaled(table: str, key: str, value: str, by: float) -> str:
    if key.endswith("_usd_per_s"):
        return repr(float(value) * by)
    if key.endswith("_s") or table == "attempt_limit_s" or (table, key) == ("priors", "seconds"):
        return repr(float(value) / by)
    return value


def _scaled_expectation(found: re.Match[str], by: float) -> str:
    if found["key"] != "expected_seconds":
        return found[0]
    return f"{found['key']} = {float(found['value']) / by!r}"
