"""Plans from outside: the route door, dry runs on the generations door, and the command. Nobody is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from pydantic import SecretStr

from tests.e2e import patient
from tests.e2e.asking import ask, story
from tests.e2e.command import run
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.test_edge import assert_envelope

KEY = "caller-key-one"
BODY = {"model": NANO_BANANA_2, "prompt": "a red fox in the snow", "size": "16:9"}


def route(url: str, *, path: str = "/v1/route", key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.post(url + path, json={**BODY, **fields}, headers=headers, timeout=30)


def planned(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    plan: dict[str, Any] = response.json()
    assert plan["object"] == "route_plan"
    return plan


def providers(plan: dict[str, Any]) -> list[str]:
    return [each["provider"] for each in plan["candidates"]]


def assert_nobody_was_called(vendors: Vendors) -> None:
    assert vendors.requests() == []
    assert sum(row["requests"] for row in vendors.books()) == 0


@pytest.mark.parametrize("prefix", ["/v1", "", "/openai/v1"])
def test_the_route_door_answers_with_the_plan_and_calls_nobody(
    start: StartGateway, vendors: Vendors, prefix: str
) -> None:
    plan = planned(route(start(), path=f"{prefix}/route"))
    assert (plan["model"], plan["operation"], plan["resolution"]) == (NANO_BANANA_2, "generate", "1K")
    assert sorted(providers(plan)) == ["fal", "gemini", "replicate", "vertex"]
    assert [each["rank"] for each in plan["candidates"]] == [1, 2, 3, 4]
    assert plan["rejected"] == []
    assert_nobody_was_called(vendors)


def test_the_plan_is_the_one_a_request_then_follows(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    for fields in ({"size": "512x512"}, {"resolution": "4K"}, {"policy": "fastest"}, {"provider": {"order": ["fal"]}}):
        first = providers(planned(route(url, **fields)))[0]
        assert story(ask(url, **fields))[0][0] == first


def test_a_tier_somebody_lacks_is_a_rejection_with_the_reason(start: StartGateway) -> None:
    plan = planned(route(start(), size="512x512"))
    assert plan["rejected"] == [
        {"provider": "replicate", "reason": "replicate offers 1K, 2K, 4K", "parameter": "resolution"}
    ]


@pytest.mark.parametrize(
    ("query", "fields"),
    [("?dry_run=true", {}), ("?dryRun=1", {}), ("?dry_run", {}), ("", {"dry_run": True}), ("", {"dryRun": "true"})],
)
def test_a_dry_run_on_the_generations_door_is_the_same_plan(
    start: StartGateway, vendors: Vendors, query: str, fields: dict[str, Any]
) -> None:
    url = start()
    dry = planned(route(url, path=f"/v1/images/generations{query}", **fields))
    assert providers(dry) == providers(planned(route(url)))
    assert_nobody_was_called(vendors)


def test_a_dry_run_by_the_official_client_buys_nothing(start: StartGateway, vendors: Vendors) -> None:
    client = OpenAI(base_url=f"{start()}/v1", api_key="none")
    answer = client.images.with_raw_response.generate(
        model=NANO_BANANA_2, prompt="a fox", extra_body={"dry_run": True, "policy": "cheapest"}
    )
    assert json.loads(answer.text)["policy"] == "cheapest"
    assert_nobody_was_called(vendors)


def test_a_dry_run_that_is_denied_makes_an_image(start: StartGateway, vendors: Vendors) -> None:
    response = route(start(), path="/v1/images/generations?dry_run=false")
    assert response.json()["data"][0]["b64_json"]
    assert sum(row["images"] for row in vendors.books()) == 1


def test_a_list_of_models_is_planned_one_by_one(start: StartGateway) -> None:
    plan = planned(route(start(), models=["flux-schnell"]))
    assert plan["model"] == NANO_BANANA_2
    assert [each["model"] for each in plan["fallback_models"]] == ["flux-schnell"]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/route", {"prompt": None}, "prompt"),
        ("/v1/route", {"policy": "best"}, "policy"),
        ("/v1/route", {"provider": {"only": ["nobody"]}}, "provider.only"),
        ("/v1/route", {"timeout": "soon"}, "timeout"),
        ("/v1/images/generations?dry_run=perhaps", {}, "dry_run"),
        ("/v1/images/generations", {"dryRun": "perhaps"}, "dryRun"),
        ("/v1/images/generations?dry_run=true", {"n": 11}, "n"),
    ],
)
def test_a_plan_is_refused_as_an_image_would_be(
    start: StartGateway, vendors: Vendors, path: str, fields: dict[str, Any], param: str
) -> None:
    assert_envelope(route(start(), path=path, **fields), 400, param=param)
    assert_nobody_was_called(vendors)


def test_a_plan_for_an_unknown_model_is_a_404(start: StartGateway) -> None:
    assert_envelope(route(start(), model="nano-banana-9"), 404, param="model")


def test_a_body_that_is_none_is_refused_as_at_the_images_door(start: StartGateway) -> None:
    url = start()
    for path in ("/v1/route", "/v1/images/generations"):
        assert patient.post(url + path, content=b"x", headers={"content-type": "text/plain"}).status_code == 415
        unreadable = patient.post(url + path, data={"prompt": "a fox"}, files={"image": b"x"})
        assert_envelope(unreadable, 400, param="image")
        assert patient.post(url + path, content=b"{", headers={"content-type": "application/json"}).status_code == 400


def test_the_route_door_takes_only_posts(start: StartGateway) -> None:
    assert_envelope(patient.get(f"{start()}/v1/route"), 405)


def test_a_plan_asks_for_the_key_where_keys_are_set(start: StartGateway) -> None:
    url = start(gateway_api_keys=SecretStr(KEY))
    assert_envelope(route(url), 401)
    assert_envelope(route(url, path="/route", key="another"), 401)
    assert_envelope(route(url, path="/v1/images/generations?dry_run=true"), 401)
    planned(route(url, key=KEY))


def test_a_failing_provider_is_left_out_of_later_plans(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", "429", count=1, params={"retry_after": 30})
    assert providers(planned(route(url)))[0] == "replicate"
    ask(url)
    plan = planned(route(url))
    assert "replicate" not in providers(plan)
    (rejected,) = plan["rejected"]
    assert (rejected["provider"], rejected["parameter"]) == ("replicate", None)


def test_the_command_prints_the_plan_of_the_configuration(tmp_path: Path) -> None:
    done = run("route", "--size", "512", "--policy", "fastest", cwd=tmp_path)
    for word in ("fastest", "at 512", "fal-ai/nano-banana-2", "0.0448", "replicate offers 1K, 2K, 4K"):
        assert word in done.stdout
    assert "No provider key is set" in done.stderr


def test_the_command_plans_with_the_providers_that_have_a_key(tmp_path: Path) -> None:
    done = run("route", "--json", cwd=tmp_path, environment={"FAL_KEY": "k", "GEMINI_API_KEY": "k"})
    plan = json.loads(done.stdout)
    assert sorted(providers(plan)) == ["fal", "gemini"]
    assert plan["rejected"] == []
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--policy", "best"], "policy must be one of cheapest, balanced, fastest, most_reliable"),
        (["--model", "nano-banana-9"], "nano-banana-9"),
        (["--provider", "nobody"], "gemini, vertex, fal, replicate"),
        (["--url", "http://127.0.0.1:9"], "does not answer"),
    ],
)
def test_the_command_says_in_a_sentence_what_is_wrong(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = run("route", *arguments, cwd=tmp_path, code=1)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_command_fails_with_the_sentence_a_request_would_get_when_nobody_would_be_tried(
    start: StartGateway, tmp_path: Path
) -> None:
    url = start()
    told = ask(url, model=NANO_BANANA_2, size="512", provider="replicate").json()["error"]["message"]
    assert "replicate offers 1K, 2K, 4K; gemini is not in provider.only" in told
    arguments = ("route", "--size", "512", "--provider", "replicate")
    for done in (run(*arguments, cwd=tmp_path, code=1), run(*arguments, "--url", url, cwd=tmp_path, code=1)):
        assert done.stderr.splitlines()[-1] == told.replace(NANO_BANANA_2, done.stdout.split(",")[0])
        assert "replicate offers 1K, 2K, 4K" in done.stdout, "the plan itself says who objects to what"
    as_json = run(*arguments, "--json", cwd=tmp_path, code=1)
    assert json.loads(as_json.stdout)["candidates"] == []


def test_the_command_asks_a_running_gateway(start: StartGateway, vendors: Vendors, tmp_path: Path) -> None:
    url = start(gateway_api_keys=SecretStr(KEY))
    ask(url, headers={"Authorization": f"Bearer {KEY}"})
    arguments = ("route", "--json", "--value-of-time", "0.05", "--timeout", "90", "--url", url)
    keyed = {"GATEWAY_API_KEYS": f"{KEY},another"}
    plan = json.loads(run(*arguments, cwd=tmp_path, environment=keyed).stdout)
    assert max(each["samples"] for each in plan["candidates"]) == 1, "the figures are the gateway's own"
    assert "API key" in run(*arguments, cwd=tmp_path, code=1).stderr
    assert (
        "nobody" in run("route", "--provider", "nobody", "--url", url, cwd=tmp_path, environment=keyed, code=1).stderr
    )


def test_the_command_says_so_when_something_else_answers(vendors: Vendors, tmp_path: Path) -> None:
    done = run("route", "--url", vendors.url, cwd=tmp_path, code=1)
    assert vendors.url in done.stderr
