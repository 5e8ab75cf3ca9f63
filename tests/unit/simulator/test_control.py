"""The control interface: what it takes, what it refuses and in which words."""

from typing import Any

import pytest

from tests.unit.simulator.kit import VENDORS, books, caller, fault, generate, google, google_body, image_of


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "provider"),
        ({"provider": "gemini"}, "kind"),
        ({"provider": "openai", "kind": "hang"}, "gemini, replicate, vertex"),
        ({"provider": "gemini", "kind": "explode"}, "processing_with_output"),
        ({"provider": "gemini", "kind": "hang", "rate": 1.5}, "rate"),
        ({"provider": "gemini", "kind": "hang", "rate": "often"}, "rate"),
        ({"provider": "gemini", "kind": "hang", "count": 0}, "count"),
        ({"provider": "gemini", "kind": "hang", "count": 1.5}, "whole"),
        ({"provider": "gemini", "kind": "hang", "seconds": -1}, "seconds"),
        ({"provider": "gemini", "kind": "hang", "params": 3}, "params"),
        ({"provider": "gemini", "kind": "hang", "colour": "red"}, "colour"),
        ({"provider": "gemini", "kind": "aborted"}, "replicate"),
        ({"provider": "fal", "kind": "thought_first"}, "gemini, vertex"),
        ([], "object"),
    ],
)
async def test_a_wrong_fault_is_refused_with_a_word_on_what_is_right(order: Any, word: str) -> None:
    async with caller() as client:
        answer = await client.post("/_control/faults", json=order)
        assert answer.status_code == 400
        assert word in answer.json()["error"]
        assert (await client.get("/_control/faults")).json() == []


async def test_a_kind_given_as_a_number_is_understood() -> None:
    async with caller() as client:
        assert (await fault(client, "gemini", 429))["kind"] == "429"  # type: ignore[arg-type]


async def test_a_fault_for_all_is_applied_to_those_that_can_show_it() -> None:
    async with caller() as client:
        assert (await fault(client, "*", "thought_first"))["providers"] == ["gemini", "vertex"]
        assert (await fault(client, "*", "hang"))["providers"] == ["fal", "gemini", "replicate", "vertex"]


async def test_faults_can_be_withdrawn() -> None:
    async with caller() as client:
        await fault(client, "gemini", "503")
        assert (await google(client, "gemini", google_body())).status_code == 503
        assert (await client.delete("/_control/faults")).json() == {"removed": 1}
        assert (await google(client, "gemini", google_body())).status_code == 200


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "provider"),
        ({"provider": "gemini", "success_rate": 2}, "success_rate"),
        ({"provider": "gemini", "concurrency": 0}, "concurrency"),
        ({"provider": "gemini", "time_scale": 0}, "time_scale"),
        ({"provider": "gemini", "latency_s": "slow"}, "latency_s"),
        ({"provider": "gemini", "sucess_rate": 1}, "sucess_rate"),
    ],
)
async def test_a_wrong_setting_is_refused(order: dict[str, Any], word: str) -> None:
    async with caller() as client:
        answer = await client.post("/_control/settings", json=order)
        assert answer.status_code == 400
        assert word in answer.json()["error"]


async def test_settings_are_kept_per_vendor_and_null_restores() -> None:
    async with caller() as client:
        await client.post("/_control/settings", json={"provider": "*", "latency_s": 2})
        told = (await client.post("/_control/settings", json={"provider": "fal", "latency_s": None})).json()
        assert told["gemini"]["latency_s"] == 2
        assert told["fal"]["latency_s"] is None


@pytest.mark.parametrize("vendor", VENDORS)
async def test_with_a_success_rate_of_zero_nothing_succeeds(vendor: str) -> None:
    async with caller() as client:
        await client.post("/_control/settings", json={"provider": vendor, "success_rate": 0})
        for _ in range(6):
            await generate(client, vendor)
        rows = await books(client)
        assert [(row["requests"], row["images"], row["billed_usd"]) for row in rows] == [(6, 0, "0")]


@pytest.mark.parametrize("vendor", VENDORS)
async def test_the_books_tell_what_was_delivered_and_billed(vendor: str) -> None:
    usd = {"gemini": "0.1344", "vertex": "0.1344", "fal": "0.16", "replicate": "0.134"}[vendor]
    async with caller() as client:
        for _ in range(2):
            await image_of(client, vendor, await generate(client, vendor))
        (row,) = await books(client)
        assert row["provider"] == vendor
        assert (row["resolution"], row["operation"]) == ("1K", "generate")
        assert (row["requests"], row["images"], row["billed_usd"], row["cancelled"]) == (2, 2, usd, 0)


async def test_the_journal_holds_no_secret_and_the_control_interface_is_not_in_it() -> None:
    async with caller() as client:
        await client.post(
            "/gemini/v1/models/x:generateContent?key=canary-1&alt=sse",
            json={},
            headers={"x-goog-api-key": "canary-2", "authorization": "Bearer canary-3", "x-trace": "seen"},
        )
        answer = await client.get("/_control/requests")
        (entry,) = answer.json()
        assert "canary" not in answer.text
        assert entry["path"] == "/gemini/v1/models/x:generateContent?alt=sse"
        assert (entry["method"], entry["vendor"], entry["size"], entry["status"]) == ("POST", "gemini", 2, 404)
        assert entry["headers"]["x-trace"] == "seen"


async def test_reset_begins_anew_under_the_seed() -> None:
    async with caller() as client:

        async def luck() -> list[str]:
            return [(await generate(client, vendor)).text for vendor in ("gemini", "gemini")]

        await client.post("/_control/reset", json={"seed": 5})
        first = await luck()
        await fault(client, "*", "503")
        await client.post("/_control/settings", json={"provider": "*", "success_rate": 0.5})
        assert (await client.post("/_control/reset", json={"seed": 5})).json() == {"seed": 5}
        assert await books(client) == []
        assert (await client.get("/_control/faults")).json() == []
        assert (await client.get("/_control/settings")).json()["fal"]["success_rate"] == 1.0
        assert await luck() == first
        await client.post("/_control/reset", json={"seed": 6})
        assert await luck() != first


async def test_luck_does_not_depend_on_what_other_vendors_were_asked() -> None:
    async with caller() as alone, caller() as busy:
        await generate(busy, "fal")
        await generate(busy, "replicate")
        assert (await generate(alone, "gemini")).text == (await generate(busy, "gemini")).text


@pytest.mark.parametrize("vendor", VENDORS)
async def test_every_answer_is_marked_as_simulated(vendor: str) -> None:
    async with caller() as client:
        paths = {
            "gemini": "/gemini/v1/models",
            "vertex": "/vertex/nowhere",
            "fal": "/fal/a/b/requests/c",
            "replicate": "/replicate/v1/predictions/x",
        }
        for path in (paths[vendor], f"/media/{vendor}/none.png"):
            assert (await client.get(path)).headers["x-image-gateway-simulator"] == vendor
