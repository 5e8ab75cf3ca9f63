"""The official Node client."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.clients.conftest import had, node_command
from tests.clients.driven import Driven
from tests.clients.installing import HERE
from tests.clients.kit import Asking, OfficialClient, arrived
from tests.clients.pictures import all_delivered
from tests.clients.uploads import PHOTO_UPRIGHT, Uploads
from tests.e2e.conftest import Vendors


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    with Driven(had(node_command), complaints=tmp_path_factory.mktemp("driver") / "stderr") as driver:
        yield driver


class TestNode(OfficialClient):
    def test_is_the_one_that_is_meant(self, driver: Driven) -> None:
        pinned = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]["openai"]
        assert (driver.client, driver.version) == ("node", pinned)

    def test_a_text_in_the_place_of_a_file_is_a_data_url(
        self, client: Asking, uploads: Uploads, vendors: Vendors
    ) -> None:
        all_delivered(client.edit(uploads.photo, call="edit_text"))
        assert arrived(vendors) == [PHOTO_UPRIGHT]
