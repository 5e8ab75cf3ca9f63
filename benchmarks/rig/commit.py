"""Commit: which state of the code is measured."""

from __future__ import annotations

import subprocess

from app.settings import PROJECT_ROOT


def commit() -> str:
    """The commit's short name, with ``-dirty`` where something differs from it; ``unknown`` without git."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git there is
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unknown"
    return said.stdout.strip() or "unknown"
