"""Case: one kind of trouble as an entry of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.chaos.deeds import Deed
from benchmarks.chaos.signs import Sign
from benchmarks.rig.orders import Kind

Load = Mapping[str, Kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is done, for how long, under which load, and what callers may be told meanwhile."""

    name: str
    deed: Deed
    load: Load
    lasts_s: float = 8.0
    """Of real time."""
    faster: float = 1.0
    """How many times more requests arrive while it lasts."""
    signs: tuple[Sign, ...] = ()
    """By what it can be noticed; the first must show."""
    may_pass_unnoticed: bool = False
    """Whether even the first need not."""
    allowed: frozenset[str] = frozenset()
    """What callers may be told beside ``200``, as ``answers.Seen.told`` words it, while it lasts and shortly after."""
    pinned: frozenset[str] = frozenset()
    """Kinds of the load that leave no other provider: theirs may fail with any error of the envelope."""
    hurried: bool = False
    """Whether the gateway's policy runs as fast as the vendors do, so that a silent one is soon noticed. Otherwise its
    limits are so wide that a busy machine is not taken for vendors that hang."""
    to_the_last: bool = True
    """Whether connections to vendors are watched until the last idle one is closed, which takes half a minute."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further environment of the gateway."""
    through: str = ""
    """The provider that is reached through a go-between; empty for none."""
    tls: bool = False
    """Whether that is over TLS."""
    warped: bool = False
    """Whether the gateway's clock and resolver can be made to lie; needs a C compiler."""
    fixed_port: bool = False
    """Whether the gateway is to come back where it was."""
    books_gone: bool = False
    """Whether the gateway's own account ends with it."""
