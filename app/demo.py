"""Demo: the simulator as a child process, and settings that point at it. Real and pretended images are never mixed
unless somebody asks for it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from app.main import StartError
from app.settings import PROJECT_ROOT, Settings
from providers.registry import PROVIDERS

SIMULATOR_PORT = 9090
SIMULATED_KEY = "simulated-key-of-no-value"
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
        try:
            self._start()
        except (OSError, http.client.HTTPException) as failed:
            self._stop()
            raise StartError("The simulator did not start; run `image-gateway simulate` to see why.") from failed
        except BaseException:  # a signal while starting
            self._stop()
            raise
        return self

    def _start(self) -> None:
        with _listener() as listener:
            port = listener.getsockname()[1]
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [
                    *(sys.executable, "-m", "simulator", "--listen-fd", str(listener.fileno())),
                    *("--time-scale", str(self._time_scale), "--exit-with-stdin"),
                ],
                cwd=PROJECT_ROOT,
                pass_fds=(listener.fileno(),),
                stdin=subprocess.PIPE,  # at its end the simulator stops, also when this process is killed
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl+C is for the gateway, which has yet to cancel jobs with it
            )
        # From here on the simulator alone has the listener: when it ends, whoever asks is told at once.
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
        try:
            asked.request("GET", "/_control/settings")
            asked.getresponse().read()
        finally:
            asked.close()
        self.base_url = f"http://127.0.0.1:{port}"

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


def _listener() -> socket.socket:
    """A socket of our own that listens already: a port that was only found free may be somebody else's a moment
    later."""
    for port in (SIMULATOR_PORT, 0):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise StartError("No free port was found for the simulator.")
