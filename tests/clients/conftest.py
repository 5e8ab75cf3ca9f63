"""Official clients, installed when a test wants them, in front of a gateway before the simulator.

A client that cannot be had because there is no network is a reason to skip (``pytest -rs`` tells it); one that cannot
be installed for another reason is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.clients import installing
from tests.clients.uploads import Uploads, make_uploads
from tests.e2e.conftest import StartGateway, shipped, simulator, start, vendors

pytest.register_assert_rewrite("tests.clients.kit", "tests.clients.pictures")

__all__ = ["shipped", "simulator", "start", "vendors"]

T = TypeVar("T")


def node_command() -> list[str]:
    """What runs the Node driver, installed; see ``installing`` for what may go wrong."""
    node, npm = installing.node()
    return [node, str(installing.HERE / "node" / "driver.mjs"), str(installing.node_client(npm))]


def python_command(interpreter: Path | str) -> list[str]:
    """What runs the Python driver; ``-I`` keeps this project's packages and the user's away from it."""
    return [str(interpreter), "-I", str(installing.HERE / "python" / "driver.py")]


def had(install: Callable[[], T]) -> T:
    """What was installed, or a skip where there is no network to install it by."""
    try:
        return install()
    except installing.Unreachable as unreachable:
        pytest.skip(str(unreachable))


@pytest.fixture(scope="session")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Uploads:
    """The files that tests upload."""
    return make_uploads(tmp_path_factory.mktemp("uploads"))


@pytest.fixture
def gateway(start: StartGateway, tmp_path: Path) -> str:
    """A gateway of the test's own; its base URL as clients are given it."""
    return start(gateway_data_dir=tmp_path / "data") + "/v1"
