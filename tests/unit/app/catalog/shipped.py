"""The shipped configuration, as the catalog's tests read it."""

from datetime import date
from pathlib import Path

from app.catalog.catalog import Catalog
from app.catalog.load import load_catalog

CONFIG = Path(__file__).parents[4] / "config"

TODAY = date(2026, 11, 21)

GOOGLE = frozenset({"gemini-3-image", "gemini-2.5-image"})
NANO_BANANA = frozenset({"nano-banana-2", "nano-banana-pro", "nano-banana"})
SCHEMAS = {
    "gemini": GOOGLE,
    "vertex": GOOGLE,
    "fal": NANO_BANANA | {"flux"},
    "replicate": NANO_BANANA | {"flux-schnell"},
}
"""Every schema the shipped files may name. That the adapters speak them is asked where the adapters are known."""

NB2 = "gemini-3.1-flash-image-preview"
PRO = "gemini-3-pro-image-preview"
NB1 = "gemini-2.5-flash-image"
NB21 = "gemini-nano-banana-2.1"
FLUX = "flux-schnell"


def shipped() -> Catalog:
    """The catalog of the shipped files on a day they are meant for."""
    return load_catalog(CONFIG, providers=SCHEMAS, on=TODAY)
