"""Sends hostile inputs to a running gateway and judges what comes back."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from tests.hostile import containers, documents, forms, impostors, jpegs, pngs, tiffs, wires
from tests.hostile.case import Case, Verdict

NOT_DONE = (501, 505)
"""Of HTTP itself: a coding or a version that is not spoken here. The sender's fault, as HTTP counts."""
LONGEST_S = 30.0
"""No answer may take longer."""


def corpus() -> list[Case]:
    """Every case there is."""
    kinds = (pngs, jpegs, containers, tiffs, impostors, forms, documents, wires)
    return list(itertools.chain.from_iterable(kind.cases() for kind in kinds))


@dataclass(frozen=True, slots=True)
class Told:
    """What a case was answered. ``fault`` is what is wrong with that; None: nothing."""

    case: Case
    verdict: Verdict
    seconds: float
    fault: str | None


class Trier:
    """Tries cases at one gateway, several at once."""

    def __init__(self, url: str, at_once: int = 4) -> None:
        self._address = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
        self._client = httpx.Client(base_url=url, timeout=LONGEST_S)
        self._pool = ThreadPoolExecutor(at_once)

    def all(self, cases: Iterable[Case]) -> list[Told]:
        """What became of each, in order."""
        return list(self._pool.map(self.one, cases))

    def one(self, case: Case) -> Told:
        """Try one."""
        began = time.monotonic()
        try:
            status, headers, body = self._asked(case) if case.head is None else self._raw(case.head)
        except (httpx.HTTPError, OSError, ValueError) as broken:
            return Told(case, (0, None), time.monotonic() - began, f"no answer: {broken!r}")
        code, fault = _judged(status, headers, body)
        if fault is None and (status, code) not in case.verdicts:
            fault = f"{status} {code} is none of {', '.join(map(str, case.verdicts))}: {body[:300]!r}"
        return Told(case, (status, code), time.monotonic() - began, fault)

    def _asked(self, case: Case) -> tuple[int, httpx.Headers, bytes]:
        content = case.body if case.chunk is None else _pieces(case.body, case.chunk)
        headers = [(b"content-type", case.content_type.encode("latin-1"))]
        headers += [(name.encode(), value.encode("latin-1")) for name, value in case.headers.items()]
        answer = self._client.post(case.path, content=content, headers=headers)
        return answer.status_code, answer.headers, answer.content

    def _raw(self, head: bytes) -> tuple[int, httpx.Headers, bytes]:
        with socket.create_connection(self._address, timeout=LONGEST_S) as connection:
            connection.sendall(head)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        top, _, body = answer.partition(b"\r\n\r\n")
        line, *lines = top.split(b"\r\n")
        pairs = [each.partition(b": ") for each in lines]
        headers = httpx.Headers([(name, value) for name, _, value in pairs])
        return int(line.split(b" ")[1]), headers, body

    def close(self) -> None:
        """Give up the connections."""
        self._pool.shutdown()
        self._client.close()


def _pieces(body: bytes, length: int) -> Iterator[bytes]:
    for start in range(0, len(body), length):
        yield body[start : start + length]


def _judged(status: int, headers: httpx.Headers, body: bytes) -> tuple[str | None, str | None]:
    """The error's code, and what is wrong with the answer in itself."""
    if status < 400:
        return None, None
    try:
        error = json.loads(body)["error"]
        code: str | None = error["code"]
        whole = set(error) == {"message", "type", "param", "code"} and error["message"]
    except (ValueError, KeyError, TypeError):
        return None, f"{status} without the envelope: {body[:300]!r}"
    if not whole or headers.get("content-type") != "application/json":
        return code, f"{status} in a broken envelope: {body[:300]!r}"
    return code, f"{status} {code}: a fault of ours" if status >= 500 and status not in NOT_DONE else None


def figures(told: list[Told], seconds: float) -> str:
    """How many were tried, how fast, and what came of them, as one sentence."""
    statuses = Counter(each.verdict[0] for each in told)
    refused = {status: count for status, count in sorted(statuses.items()) if 400 <= status < 500 or status in NOT_DONE}
    taken = statuses[200]
    ours = len(told) - taken - sum(refused.values())
    parts = ", ".join(f"{count} x {status}" for status, count in refused.items())
    slowest = max(told, key=lambda each: each.seconds)
    return (
        f"{len(told)} hostile inputs tried at {len(told) / seconds:.0f} per second: {taken} harmless, {parts}, "
        f"{ours} other 5xx or no answer; the slowest took {slowest.seconds:.1f} s ({slowest.case.name})"
    )
