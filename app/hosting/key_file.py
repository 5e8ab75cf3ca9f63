"""The signing key's file: made once, kept across restarts, the same for all processes that share the data folder."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from pathlib import Path

import structlog

KEY_BYTES = 32
"""As long as the digest it keys; a longer one would add nothing (RFC 2104, section 3)."""
FILE_NAME = "signing.key"
_MODE = 0o600
_READ_LIMIT = 1024
"""Bytes read of the file at most; a key takes 45."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class KeyFileError(Exception):
    """The key can neither be read nor made. The message is a sentence for the operator and holds no key."""


def read(path: Path) -> bytes | None:
    """The key in this file; None when there is no such file. Blocks. Raises KeyFileError.

    A file others may read is closed to them, and that is logged: what was open may have been read.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                _tighten(path)
            text = file.read(_READ_LIMIT)
    except FileNotFoundError:
        return None
    except OSError as failed:
        raise KeyFileError(
            f"{path} cannot be read ({failed.strerror or type(failed).__name__}): "
            "let the gateway read it, or set GATEWAY_SIGNING_KEY."
        ) from None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(
            f"{path} holds no {KEY_BYTES} bytes in base64: delete it, and a new key is made (URLs given out end)."
        )
    return key


def read_or_make(path: Path) -> bytes:
    """The key in this file, made if there is none. Blocks. Raises KeyFileError.

    A new key is written beside its place and linked into it whole: of several processes that start together one
    succeeds, and the others read what it made.
    """
    known = read(path)
    if known is not None:
        return known
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(draft, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as failed:
        raise KeyFileError(
            f"{path} cannot be made ({failed.strerror or type(failed).__name__}): "
            "make its folder writable, or set GATEWAY_SIGNING_KEY."
        ) from None
    made = read(path)
    if made is None:
        raise KeyFileError(f"{path} was deleted while it was made.")
    return made


def _write(path: Path, content: bytes) -> None:
    # On disk before it has its name: after a crash a key is there whole or not at all.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _tighten(path: Path) -> None:
    try:
        path.chmod(_MODE)
    except OSError:  # not our file, or a read-only volume
        _log.warning("signing_key_open", file=str(path), advice="others may read this key: take their rights away")
    else:
        _log.warning("signing_key_tightened", file=str(path), advice="others could read this key: consider a new one")
