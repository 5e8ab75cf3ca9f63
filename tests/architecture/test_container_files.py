"""What can be said of the container files without a container engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.server import WIND_UP_SECONDS
from app.settings import Settings
from app.supervisor import KILL_MARGIN_S

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
    assert re.search(r"^USER (?!0\b|root\b)\S+", dockerfile, re.MULTILINE)
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
