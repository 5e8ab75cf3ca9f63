"""A bound on the numbers the image library takes out of a TIFF directory: those of TIFF files, and of the EXIF that
AVIF and HEIC bring along.

The library makes a Python object of every number of an entry it looks at, and holds the interpreter's lock over it: an
orientation of twenty million values, in a file of 40 MB, is 1.2 GB of memory and five seconds in which the event loop
stands still (measured). Entries with more than a picture needs are therefore left out where a directory is read.
"""

from __future__ import annotations

import struct
from typing import IO

from PIL import TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

MAX_NUMBER_BYTES = 4 * 1024 * 1024
"""Of one entry. A picture of 64 megapixels in tiles of 16 x 16 has 262,144, each with a place of 4 bytes."""
_WHOLE = frozenset({TiffTags.BYTE, TiffTags.ASCII, TiffTags.UNDEFINED})
"""Kinds of entries that stay bytes or become one text, such as a colour profile."""

MAX_ENTRIES = 4096
"""Real directories have tens."""
_KINDS = frozenset((*range(1, 14), 16, 17, 18))
"""Kinds of entries there are: TIFF 6.0 with its supplements, and BigTIFF."""

_load = ImageFileDirectory_v2.load


def _load_bounded(self: ImageFileDirectory_v2, fp: IO[bytes]) -> None:
    _load(self, fp)
    for tag, data in list(self._tagdata.items()):
        if len(data) > MAX_NUMBER_BYTES and self.tagtype.get(tag) not in _WHOLE:
            del self._tagdata[tag]


def is_strange(data: bytes) -> bool:
    """Whether the first directory of a TIFF has more entries than any real one, or one of a kind there is none of.
    Raises struct.error where the bytes end too soon.

    Of such an entry the TIFF library prints two lines to our standard error, and a file of 800 KB has room for
    sixty-five thousand; the image library takes two seconds over as many.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return False
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    places = range(directory + 4, directory + 4 + 12 * count, 12)
    return count > MAX_ENTRIES or any(struct.unpack_from(f"{order}H", data, at)[0] not in _KINDS for at in places)


def bound() -> None:
    """Put the bound in force for all of the process: the library asks for no other place to put it."""
    ImageFileDirectory_v2.load = _load_bounded  # type: ignore[method-assign]
