"""Demo: the simulator as a child process, and settings that point at it. Real and pretended images are never mixed
unless somebody asks for it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from app.main import StartError
from app.settings import PROJECT_ROOT, Settings
from providers.registry import PROVIDERS

SIMULATOR_PORT = 9090
SIMULATED_KEY = "simulated-key-of-no-value"
_SETTLE_SECONDS = 0.2
"""From the first answer to the look whether it was ours: a simulator that found its port taken has ended by then."""
_START_SECONDS = 30.0


def chosen(settings: Settings, simulate: str) -> tuple[str, ...]:
    """The providers to simulate: those named, or all when no provider has a key, or none.

    Raises StartError for a name that is no provider.
    """
    named = tuple(name for part in simulate.split(",") if (name := part.strip()))
    for name in named:
        if name not in PROVIDERS:
            raise StartError(f"--simulate {name}: no such provider; there are {', '.join(PROVIDERS)}.")
    if named:
        return named
    return () if any(settings.access(name).given for name in PROVIDERS) else PROVIDERS


def simulated_settings(settings: Settings, names: tuple[str, ...], base_url: str) -> Settings:
    """The settings with the named providers pointed at the simulator."""
    key = SecretStr(SIMULATED_KEY)
    fields = {
        "gemini": {"gemini_api_key": key, "gemini_base_url": f"{base_url}/gemini"},
        "vertex": {"vertex_api_key": key, "vertex_base_url": f"{base_url}/vertex"},
        "fal": {"fal_key": key, "fal_base_url": f"{base_url}/fal"},
        "replicate": {"replicate_api_token": key, "replicate_base_url": f"{base_url}/replicate"},
    }
    update: dict[str, object] = {}
    for name in names:
        update |= fields[name]
    return settings.model_copy(update=update)


class Simulation:
    """A simulator running as a child process for as long as the context lasts."""

    def __init__(self, *, time_scale: float) -> None:
        self._time_scale = time_scale
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = ""

    def __enter__(self) -> Self:
        """Start it and wait until it answers. Raises StartError when it does not."""
        port = _free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [
                *(sys.executable, "-m", "simulator", "--port", str(port)),
                *("--time-scale", str(self._time_scale), "--exit-with-stdin"),
            ],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,  # at its end the simulator stops, also when this process is killed
            stdout=subprocess.DEVNULL,
            process_group=0,  # Ctrl+C is for the gateway, which has yet to cancel jobs with it
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while self._process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    time.sleep(_SETTLE_SECONDS)
                    if self._process.poll() is None:
                        return self
                time.sleep(0.05)
        except BaseException:  # a signal while starting
            self._stop()
            raise
        self._stop()
        raise StartError("The simulator did not start; run `image-gateway simulate` to see why.")

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
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    for port in (SIMULATOR_PORT, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            bound: int = probe.getsockname()[1]
            return bound
    raise StartError("No free port was found for the simulator.")
