"""What can be said of the container files without a container engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.serving.server import WIND_UP_SECONDS
from app.serving.supervisor import KILL_MARGIN_S
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


@pytest.fixture
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def test_compose_has_the_gateway_and_redis(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"gateway", "redis"}
    assert compose["services"]["gateway"]["environment"]["REDIS_URL"].startswith("redis://redis:")


def test_compose_demands_keys(compose: dict[str, Any]) -> None:
    assert compose["services"]["gateway"]["environment"]["GATEWAY_API_KEYS"].startswith("${GATEWAY_API_KEYS:?")


def test_compose_hands_every_provider_key_through(compose: dict[str, Any]) -> None:
    environment = compose["services"]["gateway"]["environment"]
    for name in ("GEMINI_API_KEY", "VERTEX_API_KEY", "GOOGLE_CLOUD_PROJECT", "FAL_KEY", "REPLICATE_API_TOKEN"):
        assert environment[name] == f"${{{name}:-}}"


def test_compose_leaves_time_to_finish_and_to_cancel(compose: dict[str, Any]) -> None:
    grace = compose["services"]["gateway"]["stop_grace_period"]
    limit_s = Settings(_env_file=None).gateway_drain_seconds + WIND_UP_SECONDS + KILL_MARGIN_S
    assert int(grace.removesuffix("s")) >= limit_s
    environment = compose["services"]["gateway"]["environment"]
    for name in ("GATEWAY_DRAIN_SECONDS", "GATEWAY_DRAIN_DELAY_S", "GATEWAY_WORKERS"):
        assert environment[name] == f"${{{name}:-}}"


@pytest.mark.parametrize("service", ["gateway", "redis"])
def test_services_run_read_only_and_without_rights(compose: dict[str, Any], service: str) -> None:
    own = compose["services"][service]
    assert own["read_only"] is True
    assert own["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in own["security_opt"]


def test_nothing_that_is_written_in_the_gateways_memory_can_be_executed(compose: dict[str, Any]) -> None:
    for mount in compose["services"]["gateway"]["tmpfs"]:
        place, _, options = mount.partition(":")
        assert {"noexec", "nosuid", "nodev"} <= set(options.split(",")), place
        assert "size=" in options


@pytest.mark.parametrize("service", ["gateway", "redis"])
def test_no_service_is_closer_to_its_host_than_it_must_be(compose: dict[str, Any], service: str) -> None:
    own = compose["services"][service]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode"} & set(own)
    assert not any("docker.sock" in str(volume) for volume in own.get("volumes", ()))
    assert ("ports" in own) == (service == "gateway")


def test_configuration_is_mounted_read_only_and_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    gateway = compose["services"]["gateway"]
    assert "./config:/config:ro" in gateway["volumes"]
    for name, value in gateway["environment"].items():
        if re.search("KEY|TOKEN|CREDENTIALS|SECRET|PASSWORD", name):
            assert re.fullmatch(r"\$\{[A-Z_]+:[-?].*\}", value), name


def test_no_secret_is_in_the_image(dockerfile: str) -> None:
    instructions = re.findall(r"^(?:ARG|ENV|RUN|COPY|ADD) .*(?:\\\n.*)*", dockerfile, re.MULTILINE)
    assert [each for each in instructions if re.search("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", each)] == []
    assert not re.search(r"^(COPY|ADD) (?:--\S+ )*\.\s", dockerfile, re.MULTILINE), "name what is copied"
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {"**/.env", "**/*.pem", "**/*.key", ".git", "data"} <= set(ignored)


def test_the_base_can_be_pinned_by_whoever_builds(dockerfile: str) -> None:
    assert re.search(r"^ARG BASE=python:3\.12-slim$", dockerfile, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${BASE}"}


def test_spool_is_a_volume_and_not_memory(compose: dict[str, Any]) -> None:
    gateway = compose["services"]["gateway"]
    assert gateway["environment"]["GATEWAY_SPOOL_DIR"] == "/spool"
    assert "spool:/spool" in gateway["volumes"]
    assert not any(mount.startswith("/spool") for mount in gateway["tmpfs"])


def test_image_is_built_in_stages_from_the_lock(dockerfile: str) -> None:
    assert len(re.findall(r"^FROM ", dockerfile, re.MULTILINE)) == 2
    assert "--require-hashes -r requirements.lock" in dockerfile
    assert "--no-deps --no-build-isolation" in dockerfile


def test_image_runs_as_nobody_in_particular_with_a_health_check(dockerfile: str) -> None:
    *_, user = re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "by number, so that an orchestrator can tell it is not root"
    assert "HEALTHCHECK" in dockerfile
    assert "/healthz" in dockerfile
    assert '["image-gateway", "serve"]' in dockerfile


def test_everything_the_image_copies_is_there(dockerfile: str) -> None:
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        assert [source for source in sources if not (ROOT / source).exists()] == []


def test_locks_pin_hashes_and_name_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        pinned = len(re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE))
        assert pinned > 20
        assert text.count("--hash=sha256:") >= pinned
