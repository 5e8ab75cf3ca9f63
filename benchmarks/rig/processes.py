"""Processes: the vendor simulator, and gateways as their operator starts them, each a program of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from app.demo import SIMULATED_KEY
from app.settings import PROJECT_ROOT
from benchmarks.image_path.usage import family

START_S: Final = 30.0
"""Seconds a gateway may take to serve or to stop."""
_CONTROL: Final = re.compile(r"control +(http://\S+?)/_control/.*\n")
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")


class SimulatorProcess:
    """``python -m simulator`` for as long as the context lasts, on a port of its own choosing: several may run."""

    def __init__(self, folder: Path, *, time_scale: float, options: Sequence[str] = ()) -> None:
        """What it says is written into ``folder``. ``options`` are further ones of its command line."""
        self.url = ""
        self._said = folder / "simulator.log"
        self._time_scale = time_scale
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it says where it is. Raises RuntimeError when it does not in time."""
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [
                    *(sys.executable, "-u", "-m", "simulator", "--port", "0"),
                    *("--time-scale", str(self._time_scale), "--exit-with-stdin", *self._options),
                ],
                cwd=PROJECT_ROOT,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
            )
        give_up = time.monotonic() + START_S
        try:
            while (found := _CONTROL.search(self._said.read_text())) is None:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"the simulator did not start: {self._said.read_text()[-2000:]}")
                time.sleep(0.02)
        except BaseException:
            self._stop()
            raise
        self.url = found[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()

    def _stop(self) -> None:
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        _ended(self._process)


class GatewayProcess:
    """``image-gateway serve`` for as long as the context lasts, all providers pointed at a simulator."""

    def __init__(
        self,
        vendors_url: str,
        config: Path,
        folder: Path,
        *,
        name: str = "gateway",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``config`` is its configuration folder; its log and its spooled bodies go into ``folder``, under ``name``."""
        self.url = ""
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_PORT": "0",
            "GATEWAY_CONFIG_DIR": str(config),
            "GATEWAY_SPOOL_DIR": str(folder),
            "GEMINI_API_KEY": SIMULATED_KEY,
            "GEMINI_BASE_URL": f"{vendors_url}/gemini",
            "VERTEX_API_KEY": SIMULATED_KEY,
            "VERTEX_BASE_URL": f"{vendors_url}/vertex",
            "FAL_KEY": SIMULATED_KEY,
            "FAL_BASE_URL": f"{vendors_url}/fal",
            "REPLICATE_API_TOKEN": SIMULATED_KEY,
            "REPLICATE_BASE_URL": f"{vendors_url}/replicate",
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        """Start it and wait until it is ready. Raises RuntimeError with its log when it is not in time."""
        self.start()
        return self

    def start(self) -> None:
        """As when the context begins; also once it was killed, where its port is a fixed one."""
        program = Path(sys.executable).with_name("image-gateway")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [program, "serve"], cwd=self._folder, env=self.environment, stdout=log, stderr=log
            )
        give_up = time.monotonic() + START_S
        try:
            while not self._ready():
                if self._process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"the gateway did not start: {self._log.read_text()[-2000:]}")
                time.sleep(0.02)
        except BaseException:
            self._stop()
            raise

    def kill(self) -> None:
        """End it at once, whatever it is at."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()

    @property
    def pid(self) -> int:
        """Of the process that runs. RuntimeError when none does."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError("the gateway does not run")
        return self._process.pid

    def worker(self) -> int:
        """The process id of one of its workers, where it has several. RuntimeError when it has none."""
        for each in family(self.pid):
            if b"app.serving.worker" in Path(f"/proc/{each}/cmdline").read_bytes():
                return each
        raise RuntimeError("the gateway has no workers of their own")

    def events(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of this event so far."""
        lines = (json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def metrics(self) -> Metrics:
        """Its metrics page as of now."""
        return Metrics(httpx.get(f"{self.url}/metrics", timeout=30).raise_for_status().text)

    def _ready(self) -> bool:
        if not self.url:
            found = _ADDRESS.search(self._log.read_text())
            if found is None:
                return False
            self.url = found[0]
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _stop(self) -> None:
        if self._process is not None:
            _ended(self._process)


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Metrics:
    """A metrics page, read."""

    def __init__(self, page: str) -> None:
        self._lines = [line for line in page.splitlines() if line and not line.startswith("#")]

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of this name that bear these labels; 0 when there are none."""
        return sum(value for _, value in self._series(name, labels))

    def _series(self, name: str, labels: Mapping[str, str]) -> Iterator[tuple[str, float]]:
        for line in self._lines:
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(f'{key}="{text}"' in series for key, text in labels.items()):
                yield series, float(value)
