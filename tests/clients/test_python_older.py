"""The official Python client of earlier years, which many programs still pin: the last 1.x and an early 2.x."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.conftest import had, python_command
from tests.clients.driven import Driven
from tests.clients.installing import python_client
from tests.clients.kit import PythonClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["2.9.0", "1.109.1"])
def version(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def driver(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    interpreter = had(lambda: python_client(version))
    complaints = tmp_path_factory.mktemp("driver") / "stderr"
    with Driven(python_command(interpreter), complaints=complaints) as driver:
        yield driver


class TestOlderPython(PythonClient):
    def test_is_the_one_that_is_meant(self, driver: Driven, version: str) -> None:
        assert (driver.client, driver.version) == ("python", version)
