"""Contestants: our gateway before each vendor's shape, and its peers, each as one worker before the same upstream."""

from __future__ import annotations

import http
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from benchmarks.image_path.asking import KEY, Dialect, generation
from benchmarks.image_path.compiled import CannotRunError
from benchmarks.image_path.servers import SERVER_CORE, START_S, Process, exchange, free_port

_VENDOR_KEY: Final = "vendor-key-of-the-bench"
_OURS: Final = "gemini-3.1-flash-image-preview"
_PAUSE_S: Final = 0.01
"""Between two tries for the first answer: the error of the time it takes to start."""
_NGINX: Final = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_max_body_size 100m;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 1000000;
    upstream vendor {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{
            proxy_pass http://vendor;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 64k;
            proxy_buffers 4 64k;
            proxy_busy_buffers_size 64k;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One server, set up in one way."""

    name: str
    told: str
    """What it is and what it talks to, for the table."""
    dialect: Dialect
    small: str = "small"
    """The smallest picture its vendor sells."""

    @property
    def peer(self) -> str:
        """Whose server it is: ours, litellm, portkey or nginx."""
        return self.name.partition("-")[0]


def contestants(upstream: str) -> dict[str, Contestant]:
    """All there are, by name. ``upstream``: its origin."""
    portkey = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{upstream}/v1"}
    listed = (
        Contestant("ours", "this gateway, Gemini-shaped upstream", Dialect(_OURS, tiers=True)),
        Contestant("ours-fal", "this gateway, fal-shaped upstream", Dialect(_OURS, tiers=True)),
        Contestant("ours-replicate", "this gateway, Replicate-shaped upstream", Dialect(_OURS, tiers=True), "plain1k"),
        Contestant("litellm", "LiteLLM, Gemini-shaped upstream", Dialect("bench-image")),
        Contestant("portkey", "Portkey, OpenAI-shaped upstream", Dialect("gpt-image-1", MappingProxyType(portkey))),
        Contestant("nginx", "nginx as a plain proxy, OpenAI-shaped upstream", Dialect("gpt-image-1")),
    )
    return {each.name: each for each in listed}


class Server(Process):
    """A contestant as a running process."""

    def __init__(self, contestant: Contestant, program: Path | None, upstream: str, folder: Path) -> None:
        """``program``: of a peer. Configuration and log go into ``folder``, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.contestant = contestant
        self.port = free_port()
        self.start_s = 0.0
        command, environment = _setup(contestant, program, upstream, self.port, folder)
        super().__init__(
            command, core=SERVER_CORE, log=folder / f"{contestant.name}.log", environment=environment, folder=folder
        )

    def first_answer(self) -> None:
        """Wait for the first good answer and note how long it took. Raises CannotRunError when there is none."""
        request = generation(self.contestant.dialect, self.contestant.small)
        last = "no connection"
        while time.monotonic() - self.started_at < START_S:
            self.must_run(self.contestant.name)
            try:
                status, body = exchange(self.port, request)
            except (OSError, HTTPException):
                time.sleep(_PAUSE_S)
                continue
            if status == http.HTTPStatus.OK:
                self.start_s = time.monotonic() - self.started_at
                return
            last = f"{status} {body[:300].decode(errors='replace')}"
            time.sleep(_PAUSE_S)
        raise CannotRunError(f"{self.contestant.name} gave no image: {last}")


def _setup(
    contestant: Contestant, program: Path | None, upstream: str, port: int, folder: Path
) -> tuple[list[str | Path], Mapping[str, str]]:
    if contestant.peer == "litellm" and program is not None:
        settings = folder / "litellm.json"
        settings.write_text(json.dumps(_litellm(upstream)))
        # One worker is its default; prices are read from its own package instead of from the net.
        command: list[str | Path] = [program, "--config", settings, "--host", "127.0.0.1", "--port", str(port)]
        return command, {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    if contestant.peer == "portkey" and program is not None:
        trusted = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
        return ["node", program, "--headless", f"--port={port}"], trusted
    if contestant.peer == "nginx" and program is not None:
        settings = folder / "nginx.conf"
        settings.write_text(_NGINX.format(folder=folder, upstream=upstream.rpartition(":")[2], port=port))
        return [program, "-p", folder, "-c", settings], {}
    vendor = contestant.name.partition("-")[2] or "gemini"
    own = {
        "gemini": {"GEMINI_API_KEY": _VENDOR_KEY, "GEMINI_BASE_URL": upstream},
        "fal": {"FAL_KEY": _VENDOR_KEY, "FAL_BASE_URL": upstream},
        "replicate": {"REPLICATE_API_TOKEN": _VENDOR_KEY, "REPLICATE_BASE_URL": upstream},
    }[vendor]
    spool = Path(os.environ.get("GATEWAY_SPOOL_DIR", folder))
    return [Path(sys.executable).with_name("image-gateway"), "serve"], {
        "GATEWAY_PORT": str(port),
        "GATEWAY_API_KEYS": KEY,
        "GATEWAY_SPOOL_DIR": str(spool),
        "GATEWAY_DATA_DIR": str(folder / "data"),
        **own,
    }


def _litellm(upstream: str) -> dict[str, Any]:
    model = {"model": "gemini/gemini-2.5-flash-image", "api_base": f"{upstream}/v1beta", "api_key": _VENDOR_KEY}
    return {
        "model_list": [{"model_name": "bench-image", "litellm_params": model}],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"num_retries": 0, "telemetry": False},
    }
