"""The parts of a form as one document: names with brackets say where in it each value stands.

``a[b]`` is key ``b`` of the object ``a``. ``a[]`` is the next entry of the list ``a``, ``a[3]`` the entry numbered 3;
gaps between numbers close. ``a[][b]`` is key ``b`` of the first entry that has none yet: clients group such parts by
key, all first ones before all second ones. A plain name that comes again makes a list of its values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown

MAX_BRACKETS = 8
"""Pairs of brackets in a name; the deepest field there is, ``images[0][image_url][url]``, has three."""
MAX_NAME_CHARS = 256
"""Characters in a name, far beyond any field's, so that many long names cannot fill the memory."""
ORDERED_NAMES = frozenset({"image", "images"})
"""Lists of files whose order is that of their arrival, however clients number or mix them."""

_BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_NUMBER = re.compile(r"[0-9]{1,9}")

Path = tuple[str, ...]


def path_of(name: str) -> Path:
    """A name's root and what its brackets hold; a name with brackets that do not fit is taken as it stands.

    Raises ParameterError for a name that is empty, too long or too deep.
    """
    if not name:
        raise ParameterError("body", "A part of the form has no name.")
    if len(name) > MAX_NAME_CHARS:
        raise ParameterError(name, f"The name of a part has more than {MAX_NAME_CHARS} characters: {shown(name)}.")
    found = _BRACKETED.fullmatch(name)
    if found is None:
        return (name,)
    inner = tuple(each.strip() for each in _BRACKETS.findall(found[2]))
    if len(inner) > MAX_BRACKETS:
        raise ParameterError(name, f"{shown(name)} is nested deeper than {MAX_BRACKETS} levels.")
    if found[1] in ORDERED_NAMES and len(inner) == 1 and _NUMBER.fullmatch(inner[0]):
        inner = ("",)
    return (found[1], *inner)


def nested(parts: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The document these names and values stand for. Work and depth are bounded by what ``path_of`` lets pass.

    Raises ParameterError for names that contradict each other, such as ``a`` beside ``a[b]``.
    """
    document = _Object()
    for name, value in parts:
        document.put(path_of(name), value, name)
    return document.built()


class _Object:
    """An object being filled. Lists take part in it as ``_List``."""

    def __init__(self) -> None:
        self._members: dict[str, _Object | _List] = {}

    def put(self, path: Path, value: Any, name: str) -> None:
        """Put a value where its path leads. ``name`` is what the caller called it."""
        key, rest = path[0], path[1:]
        wanted: type[_Object | _List] = _List if not rest or _is_place(rest[0]) else _Object
        member = self._members.get(key)
        if member is None:
            member = self._members[key] = wanted()
        if not isinstance(member, wanted):
            raise _contradiction(name)
        member.put(rest, value, name)

    def built(self) -> dict[str, Any]:
        """The finished object."""
        return {key: member.built() for key, member in self._members.items()}


class _List:
    """Values under one name: a list, or a single value when the name came once and without brackets."""

    def __init__(self) -> None:
        self._entries: list[Any] = []
        self._objects: list[_Object] = []
        self._numbered: dict[int, _Object | _List] = {}
        self._filled: dict[Path, int] = {}
        self._single = True

    def put(self, path: Path, value: Any, name: str) -> None:
        """Put a value: plain, at the end, or into an entry."""
        if path[:1] and path[0] != "":
            self._put_numbered(path, value, name)
            return
        if self._numbered:
            raise _contradiction(name)
        self._single = self._single and not path
        rest = path[1:]
        if not rest:
            self._entries.append(value)
        elif _is_place(rest[0]):
            raise _unnumbered(name)
        else:
            self._object_lacking(rest, name).put(rest, value, name)

    def _put_numbered(self, path: Path, value: Any, name: str) -> None:
        if self._entries:
            raise _contradiction(name)
        self._single = False
        number, rest = int(path[0]), path[1:]
        wanted: type[_Object | _List] = _List if not rest or _is_place(rest[0]) else _Object
        entry = self._numbered.setdefault(number, wanted())
        if not isinstance(entry, wanted) or (not rest and isinstance(entry, _List) and entry.filled):
            raise _contradiction(name)
        entry.put(rest, value, name)

    def _object_lacking(self, path: Path, name: str) -> _Object:
        """The first entry that has nothing under this path yet, a new one if need be."""
        place = self._filled.get(path, 0)
        if place and "" in path:  # into the same inner list or into the next entry? The name does not say.
            raise _unnumbered(name)
        self._filled[path] = place + 1
        if place == len(self._objects):
            self._objects.append(_Object())
            self._entries.append(self._objects[-1])
        return self._objects[place]

    @property
    def filled(self) -> bool:
        """Whether anything was put here."""
        return bool(self._entries or self._numbered)

    def built(self) -> Any:
        """The finished list, or the single value."""
        if self._numbered:
            return [entry.built() for _, entry in sorted(self._numbered.items(), key=lambda item: item[0])]
        values = [entry.built() if isinstance(entry, _Object) else entry for entry in self._entries]
        return values[0] if self._single and len(values) == 1 else values


def _shape_for(rest: Path) -> type[_Object | _List]:
    return _List if not rest or _is_place(rest[0]) else _Object


def _is_place(inner: str) -> bool:
    return inner == "" or _NUMBER.fullmatch(inner) is not None


def _contradiction(name: str) -> ParameterError:
    return ParameterError(
        name,
        f"{shown(name)} contradicts another part of the form, in which the same name is of another shape or is taken.",
    )


def _unnumbered(name: str) -> ParameterError:
    return ParameterError(
        name, f"{shown(name)} does not say which entry it belongs to: number the entries, as in loras[0][tags][]."
    )
