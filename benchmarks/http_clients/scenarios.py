"""Scenarios: what every candidate is asked to do, and who they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UPLOAD_BYTES: Final = 12_000_000
"""The most that is sent inline to a vendor: an input image of 9 MB as base64."""

_SLOWER: Final = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """One client in one setting."""

    name: str
    module: str
    http2: bool = False
    own: bool = False
    """Our transport: it runs in the project's environment, and stands beside the candidates."""
    slow: bool = False
    """It is asked for less, so that the others are not kept waiting; what is told is per request anyway."""


CANDIDATES: Final = (
    Candidate("aiohttp", "with_aiohttp"),
    Candidate("pyreqwest", "with_pyreqwest"),
    Candidate("httpx-aiohttp", "with_httpx_aiohttp"),
    Candidate("httpx", "with_httpx", slow=True),
    Candidate("pyreqwest, HTTP/2", "with_pyreqwest", http2=True),
    Candidate("httpx, HTTP/2", "with_httpx", http2=True, slow=True),
    Candidate("our transport", "with_ours", own=True),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. Every measurement of it is a fresh process."""

    name: str
    told: str
    size: str
    at_once: int
    count: int
    tls: bool = False
    delay_ms: int = 0
    upload_bytes: int = 0
    held: bool = False
    """Memory is what counts: nothing goes before but one request."""

    @property
    def warm(self) -> int:
        """Requests before those that count: connections made, caches warm."""
        return 1 if self.held else max(self.at_once, 2)

    def count_for(self, candidate: Candidate) -> int:
        """Requests in one round."""
        return max(self.count // _SLOWER, self.at_once) if candidate.slow else self.count


def _plain_and_tls() -> tuple[Scenario, ...]:
    found = []
    for tls in (False, True):
        over, mark = (" over TLS", "-tls") if tls else ("", "")
        found += [
            Scenario(f"small1{mark}", f"small replies, one after the other{over}", "small", 1, 800, tls),
            Scenario(f"small64{mark}", f"small replies, 64 at once{over}", "small", 64, 2000, tls),
            Scenario(f"small256{mark}", f"small replies, 256 at once{over}", "small", 256, 2000, tls),
            Scenario(f"1k{mark}", f"replies of 2.1 MB into a spool, 8 at once{over}", "1k", 8, 64, tls),
            Scenario(f"4k{mark}", f"replies of 21.8 MB into a spool, 4 at once{over}", "4k", 4, 12, tls),
            Scenario(
                f"held16{mark}", f"replies of 21.8 MB, 16 at once{over}: memory", "4k", 16, 32, tls, held=True
            ),
            Scenario(
                f"upload{mark}", f"uploads of 12 MB, 4 at once{over}", "small", 4, 16, tls, upload_bytes=UPLOAD_BYTES
            ),
        ]  # fmt: skip
    return tuple(found)


_MANY: Final = "2,000 open at once{}, the upstream takes 5 s"
SCENARIOS: Final = (
    *_plain_and_tls(),
    Scenario("open2000", _MANY.format(""), "small", 2000, 2000, delay_ms=5000, held=True),
    Scenario("open2000-tls", _MANY.format(" over TLS"), "small", 2000, 2000, tls=True, delay_ms=5000, held=True),
)


def takes_part(candidate: Candidate, scenario: Scenario) -> bool:
    """HTTP/2 is spoken over TLS only, here as by vendors."""
    return scenario.tls or not candidate.http2
