"""Scaled catalogs for tests: the shipped facts and knobs in a world that runs so many times faster."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from app.catalog.catalog import Catalog
from app.main import load
from app.settings import Settings
from benchmarks.over_http.scaled_config import write_scaled_config


def scaled_catalog(by: float, *, changed: Mapping[str, str] = MappingProxyType({})) -> Catalog:
    """The catalog of a scaled configuration; see ``write_scaled_config``."""
    with tempfile.TemporaryDirectory(prefix="config-") as folder:
        config = write_scaled_config(Path(folder), by, changed=changed)
        return load(Settings(_env_file=None, gateway_config_dir=config))
