"""How long a vendor asks to be left alone: the wait in a reply's headers, the same for every vendor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime


def stated_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait according to the headers (names in lower case), or None when they state nothing readable.

    ``retry-after-ms`` goes before ``retry-after``, being the finer of the two. A Retry-After may hold seconds or an
    HTTP date (RFC 9110, section 10.2.3); a date is measured from the reply's own ``date`` header, because the vendor's
    clock need not be ours, and a date without it states nothing. A moment already past is a wait of zero.
    """
    milliseconds = _amount(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    stated = headers.get("retry-after")
    seconds = _amount(stated)
    if seconds is not None:
        return seconds
    until, now = _moment(stated), _moment(headers.get("date"))
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def _amount(text: str | None) -> float | None:
    """A finite number that is not negative, else None."""
    try:
        amount = float(text or "")
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def _moment(text: str | None) -> datetime | None:
    """An HTTP date with its zone, else None: a date without a zone cannot be compared."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
