"""Settings: what the operator sets by environment or ``.env``. Nothing else; facts live in ``config/``."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ByteSize, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.admission.limits import QUEUE_LIMIT, QUEUE_SECONDS
from providers.pieces import BUFFERED
from providers.registry import Access
from providers.spec.request import OutputFormat

PROJECT_ROOT = Path(__file__).resolve().parent.parent
LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine only."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL such as https://host or https://host/prefix")
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise ValueError("must hold no user, password, query or fragment")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError("must hold no spaces, backslashes or characters beyond ASCII")
    if parts.port == 0:  # a port that is none at all raises here
        raise ValueError("must hold a port that can be called")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https; plain http is for loopback addresses only, for the key would travel in clear")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
        or "?" in value
        or "#" in value
    ):
        raise ValueError("must be a URL such as https://images.example.com, without user, query or fragment")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError("must hold no spaces, backslashes or characters beyond ASCII")
    return value.rstrip("/")


PublicUrl = Annotated[str, AfterValidator(_public_url)]


class Settings(BaseSettings):
    """Environment variables carry the field's name in upper case; an empty one counts as not set, and hides what
    ``.env`` says. Raises pydantic's ValidationError on bad values."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=0, le=65535)
    gateway_workers: int = Field(default=1, ge=1, le=64)
    """Processes that serve side by side on one socket; more than one needs ``redis_url``."""
    gateway_drain_delay_s: float = Field(default=0.0, ge=0, le=600)
    """Seconds from saying "not ready" to taking no more connections, for load balancers to notice."""
    gateway_drain_seconds: float = Field(default=30.0, ge=0, le=3600)
    """How long requests under way may still finish after that; then they are cancelled with their vendors."""
    gateway_config_dir: Path = PROJECT_ROOT / "config"
    gateway_data_dir: Path = Path("data")
    gateway_spool_dir: Path | None = None
    """Where large bodies lie while they are handled; a disk volume. Unset: the system's temporary folder."""
    gateway_image_store: str | None = None
    """Where images answered by URL lie: ``s3://bucket/prefix``, ``gs://``, ``az://`` or ``file:///folder``. Unset: the
    folder ``images`` of the data folder."""
    gateway_image_urls: Literal["gateway", "store"] = "gateway"
    """Whether URLs of images lead to this gateway or, presigned, to the store itself."""
    gateway_image_ttl_s: int = Field(default=3600, ge=60, le=7 * 24 * 3600)
    """Seconds an image's URL works; the image is deleted afterwards. 60 minutes is what clients of OpenAI know."""
    gateway_public_url: PublicUrl | None = None
    """What callers reach this gateway by; URLs of images begin with it. Unset: what each request was sent to."""
    gateway_signing_key: SecretStr | None = Field(default=None, min_length=16)
    """Signs URLs of images; replicas share it. Unset: one is made and kept in the data folder."""
    gateway_output_format: OutputFormat | None = None
    """Format of every image whose caller asks for none. Unset: whatever the provider delivered."""
    gateway_fetch_private: bool = False
    """Whether input images may be fetched from addresses that are not public, and over plain http. For tests and for
    callers who are all trusted."""
    gateway_max_in_flight: int | None = Field(default=None, ge=1, le=1_000_000)
    """Image requests that are carried out at once. Unset: 10,000, or as many as open files allow."""
    gateway_max_in_flight_per_key: int | None = Field(default=None, ge=1)
    """Of these, with one key. Unset: as many; when all are taken, keys take turns."""
    gateway_queue_limit: int = Field(default=QUEUE_LIMIT, ge=0)
    """Requests that may wait to be carried out; 0: none waits."""
    gateway_queue_seconds: float = Field(default=QUEUE_SECONDS, ge=0, le=600)
    """Seconds each of them waits at most."""
    gateway_body_budget: ByteSize | None = Field(default=None, ge=1024 * 1024)
    """Bytes of bodies held at once: uploads, and images until they are sent. Unset: a quarter of the memory."""
    gateway_reply_memory: ByteSize = Field(default=ByteSize(BUFFERED), ge=0)
    """Bytes of vendors' large replies that lie in memory, of all together; what is more lies in the spool folder."""
    gateway_default_model: str = "gemini-3.1-flash-image-preview"
    gateway_api_keys: SecretStr | None = None
    """Comma-separated. Unset: loopback only."""
    gateway_metrics_key: SecretStr | None = None
    """Unset: /metrics is open."""
    redis_url: SecretStr | None = None
    """Where replicas share statistics, such as ``redis://host:6379/0``. Unset: this process keeps its own."""
    redis_prefix: str = Field(default="image-gateway", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """Begins every key in Redis; gateways that share statistics have the same."""

    gemini_api_key: SecretStr | None = None
    google_cloud_project: str | None = None
    google_cloud_location: str = "global"
    google_application_credentials: str | None = None
    vertex_api_key: SecretStr | None = None
    fal_key: SecretStr | None = None
    replicate_api_token: SecretStr | None = None
    gemini_base_url: BaseUrl | None = None
    vertex_base_url: BaseUrl | None = None
    fal_base_url: BaseUrl | None = None
    replicate_base_url: BaseUrl | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: dict[str, object]) -> dict[str, object]:
        # A line break at the end of a key, as files of secrets have, would make every request to the vendor invalid.
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The callers' keys; empty when none is set."""
        if self.gateway_api_keys is None:
            return ()
        return tuple(key for part in self.gateway_api_keys.get_secret_value().split(",") if (key := part.strip()))

    def access(self, provider: str) -> Access:
        """How to reach a provider, as far as the operator said."""
        if provider == "vertex":
            return Access(
                api_key=_plain(self.vertex_api_key),
                base_url=self.vertex_base_url,
                project=self.google_cloud_project,
                location=self.google_cloud_location,
                credentials_file=self.google_application_credentials,
            )
        keys = {"gemini": self.gemini_api_key, "fal": self.fal_key, "replicate": self.replicate_api_token}
        urls = {"gemini": self.gemini_base_url, "fal": self.fal_base_url, "replicate": self.replicate_base_url}
        return Access(api_key=_plain(keys[provider]), base_url=urls[provider])


KEY_HINTS = {
    "gemini": "GEMINI_API_KEY",
    "vertex": "VERTEX_API_KEY, or GOOGLE_CLOUD_PROJECT with GOOGLE_APPLICATION_CREDENTIALS",
    "fal": "FAL_KEY",
    "replicate": "REPLICATE_API_TOKEN",
}
"""What to set for each provider, for messages to the operator."""


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
