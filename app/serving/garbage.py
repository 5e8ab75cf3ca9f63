"""Garbage: how often the interpreter looks for objects that only refer to each other.

Its default, made for scripts, looks after every 700 objects, through all of a hundred thousand that a gateway never
lets go of every now and then: a pause of tens of milliseconds for everybody, and some per cent of all work.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 10_000
"""Objects made and not let go of before the youngest are looked through. A request makes some hundred that matter, and
what large bodies lie in is let go of without the collector."""
_MIDDLE, _OLD = 20, 50
"""Looks at the youngest before one at those that survived, and of these before one at all."""


@contextmanager
def set_aside() -> Iterator[None]:
    """Nothing is looked through while this lasts, and nothing that was made meanwhile ever is. For imports, of which
    little can be let go of, some megabyte: looking for it is a tenth of the time they take."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def settle_down() -> None:
    """Set what was made at the start aside for good, and look less often from now on. For once the process serves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
