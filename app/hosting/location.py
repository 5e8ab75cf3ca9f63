"""What ``GATEWAY_IMAGE_STORE`` says, checked: a folder of this machine, or a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

BUCKET_SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"})
"""What obstore.store.from_url takes as a bucket of S3, Google Cloud Storage or Azure (obstore 0.12)."""


class HostingSetupError(Exception):
    """The settings for images by URL cannot work. The message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where images lie: exactly one of the two is set."""

    folder: Path | None = None
    bucket: str | None = None


def location_of(url: str | None, *, data_dir: Path) -> Location:
    """Read the setting; unset means the data folder. Raises HostingSetupError, which never repeats the URL: people
    write credentials into such."""
    if url is None:
        return Location(folder=data_dir.absolute())
    try:
        parts = urlsplit(url)
        # abfs://container@account is how Azure's own tools write it.
        secret = parts.password is not None or (parts.username is not None and not parts.scheme.startswith("abfs"))
    except ValueError:
        raise _unreadable() from None
    if secret:
        raise HostingSetupError("GATEWAY_IMAGE_STORE must hold no credentials: they come from the environment.")
    if parts.query or parts.fragment:
        raise HostingSetupError("GATEWAY_IMAGE_STORE must hold no query and no fragment.")
    if parts.scheme == "file":
        folder = unquote(parts.path)
        if parts.netloc not in {"", "localhost"} or not folder.startswith("/") or "\x00" in folder:
            raise HostingSetupError("GATEWAY_IMAGE_STORE: a folder is written with three slashes, file:///the/folder.")
        return Location(folder=Path(folder))
    if parts.scheme not in BUCKET_SCHEMES or not parts.netloc:
        raise _unreadable()
    return Location(bucket=url)


def _unreadable() -> HostingSetupError:
    return HostingSetupError(
        "GATEWAY_IMAGE_STORE must be s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///folder."
    )
