"""Logging: JSON lines on stderr, readable ones on a terminal. Third-party libraries speak from WARNING up."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.as_json import as_json

_DELETE = 0x7F
"""The character, as a number: bytes that are looked for in bytes are taken for a number first, at ten times the
price."""
_PLAIN = frozenset({str, int, float, bool, type(None), list, dict})
"""Kinds of value that hide nothing."""


def set_up_logging(*, quiet: bool = False, worker: int | None = None) -> Callable[[str], None]:
    """Set up logging for the process; returns a function that logs one sentence.

    ``quiet``: errors only. ``worker``: the place of this worker process, told in every line.
    """
    level = logging.CRITICAL if quiet else logging.INFO
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if quiet:
        logging.disable(logging.CRITICAL)
    # The image library has a sentence for every entry of a damaged EXIF block: sixty thousand lines for one upload.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    as_lines: list[Processor]
    written_by: Callable[..., WrappedLogger]
    if sys.stderr.isatty():
        stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)
        as_lines = [structlog.processors.add_log_level, stamped, structlog.dev.ConsoleRenderer()]
        written_by = structlog.WriteLoggerFactory(sys.stderr)
    else:
        # Bytes: they need no second encoding, and unlike text may be written by several threads at once.
        as_lines, written_by = [_line], structlog.BytesLoggerFactory(sys.stderr.buffer)
    structlog.configure(
        processors=[*([] if worker is None else [_of_worker(worker)]), *as_lines],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A line is written at once: several workers write to the same place.
        logger_factory=written_by,
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger("gateway")

    def say(sentence: str) -> None:
        logger.info(sentence)

    return say


def _line(logger: WrappedLogger, level: str, event: EventDict) -> bytes:
    """Level, time and all else as JSON in ASCII, for whoever reads lines on a terminal. What is no plain value is shown
    as ``repr`` has it, which leaves out what is not to be seen.

    In one, where structlog has three processors: every request is a line, and its time alone would be a fifth of it.
    """
    del logger
    event["level"] = level
    plain = _PLAIN.issuperset(map(type, event.values()))
    event["timestamp"] = datetime.now(UTC)
    try:
        if plain:
            line = as_json(event, default=_shown)
            if line.isascii() and _DELETE not in line:
                return line
        return json.dumps(event, default=_shown).encode("ascii")
    except TypeError:  # keys that are none in JSON: what was done is not lost over how it is told
        shown = {name: value if isinstance(value, str) else _shown(value) for name, value in event.items()}
        return json.dumps(shown).encode("ascii")


def _shown(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)


def _of_worker(place: int) -> Processor:
    def add(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        del logger, name
        event["worker"] = place
        return event

    return add
