"""The parity page: which parameter is granted how, at which provider. Written by what the code does, not by hand.

``make parity`` writes it anew; a test compares.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from app.catalog.catalog import Catalog
from app.catalog.load import load_catalog
from app.catalog.models import FoundModel
from providers.registry import PROVIDERS, schemas
from providers.spec.request import Operation
from routing.offers import Offer
from tests.architecture.parity_cells import Cell, Kitchen, Word
from tests.architecture.parity_rows import Row, Section, sections

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/parity.md"
"""Where the page is published."""
COMMAND = "make parity"
DEFAULT = "nano-banana-2"

_HEAD = f"""# Parity: what is granted where

For each parameter of a request and each provider: how the wish is granted. This page is generated from what the code
does (`{COMMAND}`), and a test fails when the two differ. The parameters themselves are explained in
[images.md](images.md); how a request chooses among the providers in [routing.md](routing.md).

| word | meaning |
|---|---|
| native | the provider is asked for it in its own words |
| converted | the gateway makes it of what the provider delivers, or of what the caller sent |
| emulated | the provider knows nothing of it; the gateway does it |
| accepted | nothing needs to be done for it, and nothing is |
| none | taken, and nothing comes of it: this provider shows no interim images |
| ignored | the request is served, and a warning in `metadata.warnings` says that this wish had no effect |
| refused | the offer is left out of the plan; with no offer left, a 400 with the reason, of which the number is given |
| ≈ | granted as nearly as the model can; a warning says what differs |
| inline | an input image goes within the request |
| uploaded | an input image goes to the provider's storage first |
| smaller | an input image is made smaller first, with a warning |

With `provider.require_parameters: true` an offer that would ignore a wish is left out as well. One word in a cell holds
for images from text and for edits; where they differ, both are given. What a body says about routing (`provider`,
`models`, `policy`, `value_of_time`, `hedge`, `timeout`, `dry_run`) is the gateway's own business everywhere.
"""

Cells = dict[str, tuple[Cell, ...]]
"""By provider, one cell for each operation."""


async def page() -> str:
    """The whole page."""
    catalog = load_catalog(ROOT / "config", providers=schemas())
    kitchen = Kitchen()
    try:
        default = catalog.find(DEFAULT, default_model=DEFAULT)
        parts = [_HEAD]
        known: dict[str, Cells] = {}
        parts.append(f"## {default.model.display_name}\n")
        for section in sections():
            rows = [(row, await _cells(kitchen, row, section, catalog, default)) for row in section.rows]
            known.update((row.label, cells) for row, cells in rows)
            parts.append(f"### {section.title}\n")
            parts.append(_table(rows, PROVIDERS))
        parts.append("## The other models\n\nOnly what differs from the tables above.\n")
        for name in catalog.models:
            if name != default.model.name:
                found = catalog.find(name, default_model=DEFAULT)
                parts.append(await _further(kitchen, catalog, found, known))
        return "\n".join(parts)
    finally:
        kitchen.close()


async def _further(kitchen: Kitchen, catalog: Catalog, found: FoundModel, known: dict[str, Cells]) -> str:
    offers = catalog.offers_of(found)
    sellers = [name for name in PROVIDERS if any(offer.provider == name for offer in offers)]
    editing = any(Operation.EDIT in offer.capability.operations for offer in offers)
    rows: list[tuple[Row, Cells]] = []
    for section in sections():
        if section.once or (section.edits_only and not editing):
            continue
        for row in section.rows:
            cells = await _cells(kitchen, row, section, catalog, found, editing=editing)
            usual = known[row.label]
            if any(_words(cells[name]) != _words(usual[name][: len(cells[name])]) for name in sellers):
                rows.append((row, cells))
    about = f"Sold by {', '.join(sellers)}."
    if not editing:
        about += " Makes images from text alone: a request with input images is refused."
    table = _table(rows, sellers) if rows else "Nothing differs.\n"
    return f"### {found.model.display_name}\n\n{about}\n\n{table}"


async def _cells(
    kitchen: Kitchen, row: Row, section: Section, catalog: Catalog, found: FoundModel, *, editing: bool = True
) -> Cells:
    operations = [True] if section.edits_only else [False, True] if editing else [False]
    offers: Sequence[Offer] = catalog.offers_of(found)
    return {
        offer.provider: tuple([await kitchen.cell(row, found, offer, editing=each) for each in operations])
        for offer in offers
    }


def _table(rows: Sequence[tuple[Row, Cells]], providers: Sequence[str]) -> str:
    reasons: list[str] = []
    lines = [f"| parameter | {' | '.join(providers)} |", "|---|" + "---|" * len(providers)]
    for row, cells in rows:
        shown = [_shown(cells[name], reasons) for name in providers]
        lines.append(f"| {row.label} | {' | '.join(shown)} |")
    text = "\n".join(lines) + "\n"
    if reasons:
        text += "\n" + "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1)) + "\n"
    return text


def _shown(cells: tuple[Cell, ...], reasons: list[str]) -> str:
    words = [_word(cell, reasons) for cell in cells]
    if len(set(words)) == 1:
        return words[0]
    return f"from text {words[0]}, edits {words[1]}"


def _word(cell: Cell, reasons: list[str]) -> str:
    if cell.word is Word.REFUSED:
        if cell.why not in reasons:
            reasons.append(cell.why)
        return f"{cell.word} ({reasons.index(cell.why) + 1})"
    if cell.a_call:
        return f"{cell.word}, {cell.a_call} a call"
    return f"{cell.word} ≈" if cell.nearly else cell.word.value


def _words(cells: tuple[Cell, ...]) -> list[tuple[Word, bool, int]]:
    return [(cell.word, cell.nearly, cell.a_call) for cell in cells]


if __name__ == "__main__":
    # Written when it is whole: a redirection would have emptied the page before the first question.
    Path(sys.argv[1]).write_text(asyncio.run(page()))
