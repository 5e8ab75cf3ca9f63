"""Serving without what makes it fast: refused, in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import EMPTY

WITHOUT = (
    "import sys; sys.modules[{name!r}] = None; sys.argv = ['image-gateway', 'serve']; "
    "from app.command import main; main()"
)


@pytest.mark.parametrize("name", ["uvloop", "httptools"])
def test_the_gateway_does_not_serve_without(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(name=name)],
        cwd=tmp_path,
        env={**EMPTY, "FAL_KEY": "k", "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (sentence,) = (done.stdout + done.stderr).strip().splitlines()
    assert sentence.startswith(f"{name} cannot be imported, and the gateway does not serve without it")
    assert sentence.endswith(f"(pip install {name}).")
