"""Requests by ``httpx`` that wait longer than its five seconds, which a busy machine may take for any page."""

from __future__ import annotations

from functools import partial

import httpx

from tests.waiting import PATIENCE_S

delete = partial(httpx.delete, timeout=PATIENCE_S)
get = partial(httpx.get, timeout=PATIENCE_S)
head = partial(httpx.head, timeout=PATIENCE_S)
post = partial(httpx.post, timeout=PATIENCE_S)
request = partial(httpx.request, timeout=PATIENCE_S)
