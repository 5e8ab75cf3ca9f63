"""Install: the peers, each pinned, in a folder of the benchmark's own; what cannot be had is named and left out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.settings import PROJECT_ROOT

FOLDER: Final = PROJECT_ROOT / ".cache" / "bench"
PINS: Final = Path(__file__).parent / "pins"
_PATIENCE_S: Final = 600.0
_PORTKEY_START: Final = "node_modules/@portkey-ai/gateway/build/start-server.js"


class NotInstalledError(Exception):
    """A peer cannot be had; the message says why."""


def litellm() -> Path:
    """The program, in an environment of its own. Raises NotInstalledError."""
    lock, folder = PINS / "litellm.lock", FOLDER / "litellm"
    program, installed = folder / "bin" / "litellm", folder / "installed.lock"
    if not program.exists() or not installed.exists() or installed.read_text() != lock.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        installed_by([sys.executable, "-m", "venv", folder])
        # Not by the pip of that environment: an older one takes a requirement with extras for one that is not pinned.
        into = folder / "bin" / "python"
        installed_by(
            [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", into, "--require-hashes", "-r", lock]
        )
        shutil.copy(lock, installed)
    return program


def portkey() -> Path:
    """Its start script, for node. Raises NotInstalledError."""
    folder = FOLDER / "portkey"
    script, lock, installed = folder / _PORTKEY_START, PINS / "package-lock.json", folder / "package-lock.json"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstalledError("node and npm are not installed")
    if not script.exists() or not installed.exists() or installed.read_text() != lock.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for pin in (lock, PINS / "package.json"):
            shutil.copy(pin, folder)
        installed_by(
            ["npm", "ci", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund"], folder
        )
    return script


def nginx() -> Path:
    """This machine's, else the distribution's package unpacked into the folder. Raises NotInstalledError."""
    folder = FOLDER / "nginx"
    unpacked = folder / "usr" / "sbin" / "nginx"
    for found in (shutil.which("nginx"), "/usr/sbin/nginx", unpacked):
        if found is not None and Path(found).exists():
            return Path(found)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotInstalledError("nginx is not installed, and this is no Debian to take it from")
    folder.mkdir(parents=True, exist_ok=True)
    installed_by(["apt-get", "download", "nginx"], folder)
    for package in folder.glob("nginx_*.deb"):
        installed_by(["dpkg", "-x", package, folder])
    if not unpacked.exists():
        raise NotInstalledError("the distribution's nginx holds no program")
    return unpacked


def version_of(name: str, program: Path) -> str:
    """What a peer says it is, or what it is pinned to."""
    if name == "nginx":
        told = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)  # noqa: S603
        return told.stderr.strip().rpartition("/")[2]
    if name == "litellm":
        return next(
            line.split("==")[1].split()[0]
            for line in (PINS / "litellm.lock").read_text().splitlines()
            if line.startswith("litellm==")
        )
    pinned: str = json.loads((PINS / "package.json").read_text())["dependencies"]["@portkey-ai/gateway"]
    return pinned


INSTALLERS: Final[Mapping[str, Callable[[], Path]]] = MappingProxyType(
    {"litellm": litellm, "portkey": portkey, "nginx": nginx}
)


def installed_by(command: Sequence[str | Path], folder: Path | None = None) -> None:
    """Raises NotInstalledError with the last line the command said."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise NotInstalledError(f"{command[0]} failed: {type(failed).__name__}") from failed
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        raise NotInstalledError(f"{Path(str(command[0])).name}: {said[-1][:200]}")
