"""Checks of the pixel tables: a size must have the ratio and the area it stands under. Catches a slipped digit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.catalog.files import wrong
from app.catalog.models import Pixels
from app.catalog.shapes import PixelTable
from providers.spec.request import Resolution

RATIO_TOLERANCE = 0.08
"""How far width/height may be from the ratio, as a fraction; as verification of delivered images allows. The vendors'
own tables stay within 3 %."""
AREA_TOLERANCE = 0.3
"""How far the area may be from that of the tier's square, as a fraction. The vendors' own tables stay within 7 %."""


def check_pixel_tables(file: Path, tables: Mapping[str, PixelTable]) -> None:
    """Raises CatalogError at the first size that cannot be meant, and at ``also`` where there is no such size."""
    for name, table in tables.items():
        for resolution, sizes in table.sizes.items():
            for ratio, size in sizes.items():
                key = f"pixel_tables.{name}.sizes.{resolution.value}.{ratio}"
                _check_size(file, key, resolution, ratio, size)
        for resolution, others in table.also.items():
            for ratio in others:
                if ratio not in table.sizes.get(resolution, {}):
                    key = f"pixel_tables.{name}.also.{resolution.value}.{ratio}"
                    wrong(file, key, "there is no size of that resolution and ratio in this table")


def _check_size(file: Path, key: str, resolution: Resolution, ratio: str, size: Pixels) -> None:
    width, height = size
    across, down = (int(part) for part in ratio.split(":"))
    if abs(width * down / (height * across) - 1) > RATIO_TOLERANCE:
        wrong(file, key, f"{width}x{height} is not {ratio}")
    if abs(width * height / resolution.edge**2 - 1) > AREA_TOLERANCE:
        wrong(file, key, f"{width}x{height} is not of the area of {resolution.value}")
