"""The official Python client as this project has it installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import openai
import pytest

from tests.clients.conftest import python_command
from tests.clients.driven import Driven
from tests.clients.kit import PythonClient


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    complaints = tmp_path_factory.mktemp("driver") / "stderr"
    with Driven(python_command(sys.executable), complaints=complaints) as driver:
        yield driver


class TestNewestPython(PythonClient):
    def test_is_the_one_that_is_meant(self, driver: Driven) -> None:
        assert (driver.client, driver.version) == ("python", openai.__version__)
