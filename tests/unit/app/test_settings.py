"""What an operator may set, what counts as not set, and that no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import KEY_HINTS, Settings, is_loopback
from providers.registry import PROVIDERS

SECRETS = {
    "GATEWAY_API_KEYS": "canary-a, canary-b",
    "GATEWAY_METRICS_KEY": "canary-c",
    "REDIS_URL": "redis://:canary-d@localhost/0",
    "GEMINI_API_KEY": "canary-e",
    "VERTEX_API_KEY": "canary-f",
    "FAL_KEY": "canary-g:canary-h",
    "REPLICATE_API_TOKEN": "canary-i",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def with_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_nothing_need_be_set() -> None:
    settings = Settings()
    assert (settings.gateway_host, settings.gateway_port, settings.api_keys) == ("127.0.0.1", 8080, ())
    assert not any(settings.access(name).given for name in PROVIDERS)
    assert (settings.gateway_config_dir / "models.toml").is_file()


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, name: str, blank: str) -> None:
    assert with_environment(monkeypatch, **{name.upper(): blank}) == Settings(_env_file=None)
    assert getattr(Settings(), name) == Settings.model_fields[name].default


def test_a_variable_goes_before_the_file_and_an_empty_one_hides_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("FAL_KEY=from-file\nREPLICATE_API_TOKEN=from-file\nGEMINI_API_KEY=\nOTHER=1\n")
    settings = with_environment(monkeypatch, FAL_KEY="from-environment", REPLICATE_API_TOKEN="")
    assert settings.access("fal").api_key == "from-environment"
    assert settings.access("replicate").api_key is None
    assert settings.access("gemini").api_key is None


def test_white_space_around_a_value_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(
        monkeypatch, FAL_KEY=" key\n", GATEWAY_METRICS_KEY="key\n", FAL_BASE_URL=" https://host/ \n", GATEWAY_PORT=" 1 "
    )
    assert settings.access("fal").api_key == "key"
    assert settings.access("fal").base_url == "https://host"
    assert settings.gateway_metrics_key is not None
    assert settings.gateway_metrics_key.get_secret_value() == "key"
    assert settings.gateway_port == 1


def test_callers_keys_are_a_list_without_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_environment(monkeypatch, GATEWAY_API_KEYS=" a ,, b,").api_keys == ("a", "b")
    assert with_environment(monkeypatch, GATEWAY_API_KEYS=" , ,").api_keys == ()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://queue.fal.run", "https://queue.fal.run"),
        ("https://host/prefix/", "https://host/prefix"),
        ("https://host//", "https://host"),
        ("HTTPS://Host.Example:8443/Prefix", "https://host.example:8443/Prefix"),
        ("http://127.0.0.1:9090/fal", "http://127.0.0.1:9090/fal"),
        ("http://localhost:9090", "http://localhost:9090"),
        ("http://[::1]:9090/x", "http://[::1]:9090/x"),
        ("http://127.3.2.1", "http://127.3.2.1"),
    ],
)
def test_a_base_url_is_kept_with_its_prefix(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    assert with_environment(monkeypatch, FAL_BASE_URL=given).fal_base_url == kept


@pytest.mark.parametrize(
    "given",
    [
        "http://queue.fal.run",
        "http://10.0.0.1:9090",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "http://0.0.0.0:9090",
        "http://2130706433",
        "ftp://host",
        "host",
        "host:443",
        "//host",
        "https://",
        "https:///path",
        "https://user@host",
        "https://user:canary@host",
        "https://@host",
        "https://:@host",
        "https://host?",
        "https://host?key=canary",
        "https://host#",
        "https://host#canary",
        "https://host/a b",
        "https://host\\@evil.test",
        "https://hôst",
        "https://host:99999",
        "https://host:0",
        "https://host:abc",
        "https://[::1",
    ],
)
@pytest.mark.parametrize("name", [f"{provider.upper()}_BASE_URL" for provider in PROVIDERS])
def test_a_base_url_that_cannot_be_or_leaks_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, given: str) -> None:
    with pytest.raises(ValidationError) as raised:
        with_environment(monkeypatch, **{name: given})
    assert raised.value.errors(include_input=False)[0]["loc"] == (name.lower(),)
    assert "canary" not in str(raised.value) + repr(raised.value)


@pytest.mark.parametrize("port", ["-1", "65536", "http", "80.5"])
def test_a_port_is_a_port(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    with pytest.raises(ValidationError):
        with_environment(monkeypatch, GATEWAY_PORT=port)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(monkeypatch, **SECRETS)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    shown += " ".join(repr(settings.access(name)) for name in PROVIDERS)
    assert "canary" not in shown
    assert settings.access("fal").api_key == "canary-g:canary-h"


def test_no_secret_is_shown_when_another_setting_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as raised:
        with_environment(monkeypatch, **SECRETS, GATEWAY_PORT="canary-port")
    assert "canary" not in str(raised.value)


def test_each_provider_finds_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(
        monkeypatch,
        **SECRETS,
        GOOGLE_CLOUD_PROJECT="p",
        GOOGLE_CLOUD_LOCATION="europe-west1",
        GOOGLE_APPLICATION_CREDENTIALS="/key.json",
        GEMINI_BASE_URL="https://g",
        VERTEX_BASE_URL="https://v",
        FAL_BASE_URL="https://f",
        REPLICATE_BASE_URL="https://r",
    )
    found = {name: settings.access(name) for name in PROVIDERS}
    assert {name: access.base_url for name, access in found.items()} == {
        "gemini": "https://g",
        "vertex": "https://v",
        "fal": "https://f",
        "replicate": "https://r",
    }
    assert {name: access.api_key for name, access in found.items()} == {
        "gemini": "canary-e",
        "vertex": "canary-f",
        "fal": "canary-g:canary-h",
        "replicate": "canary-i",
    }
    vertex = found["vertex"]
    assert (vertex.project, vertex.location, vertex.credentials_file) == ("p", "europe-west1", "/key.json")
    assert set(KEY_HINTS) == set(PROVIDERS)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("localhost.", False),
        ("10.0.0.1", False),
        ("example.test", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
