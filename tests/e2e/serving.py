"""A gateway process that a test sends signals to: its exit code, its log lines, and callers that wait meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from app.demo import SIMULATED_KEY
from tests.e2e.conftest import NANO_BANANA_2
from tests.waiting import PATIENCE_S, until

PROGRAM = str(Path(sys.executable).with_name("image-gateway"))


class Serving:
    """``image-gateway serve`` in front of a simulator, for as long as the context lasts."""

    def __init__(self, vendors_url: str, folder: Path, **environment: str) -> None:
        self.url = ""
        self._folder = folder
        self._log = folder / "gateway.log"
        names = {"gemini": "GEMINI_API_KEY", "vertex": "VERTEX_API_KEY", "fal": "FAL_KEY"}
        names["replicate"] = "REPLICATE_API_TOKEN"
        self._environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_PORT": "0",
            "GATEWAY_SPOOL_DIR": str(folder),
            **dict.fromkeys(names.values(), SIMULATED_KEY),
            **{f"{name.upper()}_BASE_URL": f"{vendors_url}/{name}" for name in names},
            **environment,
        }
        self._callers = ThreadPoolExecutor(64)

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve"], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        try:
            until(self._ready)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._callers.shutdown(wait=False, cancel_futures=True)
        for _ in range(2):
            if self.process.poll() is None:
                self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if error is not None:
            sys.stderr.write(self.log()[-4000:])

    def log(self) -> str:
        """All it has said."""
        return self._log.read_text()

    def events(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of this event so far."""
        lines = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def terminate(self) -> None:
        """Ask it to stop, once."""
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(PATIENCE_S)

    def ask(self, model: str = NANO_BANANA_2, **fields: Any) -> httpx.Response:
        """One generation on a connection of its own."""
        body = {"model": model, "prompt": "a fox", "resolution": "1K", **fields}
        return httpx.post(f"{self.url}/v1/images/generations", json=body, timeout=120)

    def asking(self, model: str = NANO_BANANA_2, **fields: Any) -> Future[httpx.Response]:
        """The same, meanwhile."""
        return self._callers.submit(self.ask, model, **fields)

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of this name that bear these labels, on the metrics page as of now."""
        page = httpx.get(f"{self.url}/metrics", timeout=30).raise_for_status().text
        found = [line.rpartition(" ") for line in page.splitlines() if re.match(rf"{name}[{{ ]", line)]
        return sum(
            float(value)
            for series, _, value in found
            if all(f'{key}="{text}"' in series for key, text in labels.items())
        )

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        if not self.url:
            found = re.search(r"(http://127\.0\.0\.1:\d+)/v1", self.log())
            self.url = found[1] if found is not None else ""
        try:
            return bool(self.url) and httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
