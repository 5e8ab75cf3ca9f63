"""The wire: uvicorn's HTTP/1.1 protocol, with the bounds it lacks, and reading requests that offer an upgrade.

uvicorn puts no bound on a request's head, on what a connection may be silent in, or on a client that does not read: any
of these would hold memory or a connection, before a key is asked for. It also drops the body of a request that offers
to speak HTTP/2 instead (``Upgrade: h2c``, which Java's HttpClient sends with its first request); the offer may be
ignored (RFC 9110, section 7.8). And it appends trailers to the headers of a request that is already being served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.doors.answer_headers import drawn_request_id
from app.doors.hang_up import WHEN_LOST
from app.doors.openai_images.drain import DRAIN_SECONDS
from app.serving import request_head
from app.serving.idle import IdleProtocol
from app.serving.one_write import OneWrite
from app.serving.request_head import Refusal, refusal, without_offer
from app.serving.whole import take_whole_answers

HEAD_BYTES = 64 * 1024
"""Of a request's line and header lines, and of anything else that brings no body, such as trailers and extensions of
chunks. Proxies stop at 8 to 32 KiB. What is read from a socket at once (256 KiB) may come on top."""
HEAD_SECONDS = 60.0
"""For the head, from its first byte, for a new connection's first byte, and for anything else that comes when no
request is under way; nginx gives as much."""
STALL_SECONDS = 65.0
"""Longest a client may leave what was sent to it lying; then the connection is dropped. A little longer than
``reply.WRITE_SECONDS``, so that an answer under way ends in its own words."""
LINGER_SECONDS = DRAIN_SECONDS
"""For the rest of a body behind an answer that ends the connection."""
PIPELINED = 16
"""Requests that may wait on one connection for the answer to the one before. Clients send one and wait."""
SMALL_CHUNKS, CHUNK_BYTES = 4096, 64
"""A body may come in this many chunks of any size; beyond, they hold so many bytes on average. A byte a chunk would
cost a thousand times the work of a body in one piece."""
_TOO_LARGE = Refusal(431, f"The request's header is larger than {HEAD_BYTES:,} bytes.", "header_too_large")
_TOO_SMALL = Refusal(400, "The request's body comes in too many small chunks.", "invalid_request")
_TOO_MANY = Refusal(400, "Too many requests were sent without waiting for an answer.", "invalid_request")


class _RefusedError(Exception):
    """Ends the parser's work on what came."""


class BoundedProtocol(IdleProtocol):
    """One connection. Handed to uvicorn as its ``http`` class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fed = self._body = self._chunks = 0
        """Bytes and chunks since the last end of a head or a request, and how many of the bytes were body."""
        self._in_head = False
        self._offered = False
        """The head that was just read offers an upgrade."""
        self._running: RequestResponseCycle | None = None
        """The request that is served now or was last; ``cycle`` is the one that came last, and may wait behind it."""
        self._refusal: Refusal | None = None
        self._deaf = False
        """Nothing more is read: what comes behind the request under way is no request."""
        self._to_call_when_lost: list[Callable[[], None]] = []
        self._lost = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    @property
    def fresh(self) -> bool:
        """Nothing has come on it yet."""
        return self.cycle is None and not self._fed

    @property
    def arriving(self) -> bool:
        """A request's head has begun to come and is not there yet."""
        return self._in_head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_is_there()
        self._flows()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            # uvicorn tells only the request that came last, so that one with another behind it would go on for nobody.
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._lost = True
        for call in self._to_call_when_lost:
            call()
        self._to_call_when_lost.clear()

    def data_received(self, data: bytes) -> None:
        """Take bytes of any number of requests."""
        if self._deaf:
            return
        self._idle_since = None
        self._fed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or request_head.UNREADABLE)
        else:
            if self._fed - self._body > HEAD_BYTES + self._body // 4:
                self._refuse(_TOO_LARGE)
            elif self._head_timer is None and (self._in_head or self.cycle is None or self.cycle.response_complete):
                # Not all of a head, blank lines, or the rest of a body nobody wanted: none of these holds a connection.
                self._expect_head()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._head_is_there()  # for what came before it; ``data_received`` waits for the rest of this one
        self._in_head = True
        super().on_message_begin()
        self.scope[WHEN_LOST] = self._when_lost  # type: ignore[literal-required]

    def on_url(self, url: bytes) -> None:
        """The request's target, or a part of it."""
        super().on_url(url)
        if len(self.url) > request_head.TARGET_BYTES:
            self._object(request_head.TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line. Trailers are dropped: nobody here reads one, and none may pass for a header."""
        if not self._in_head:
            return
        if len(self.headers) >= request_head.HEAD_LINES:
            self._object(request_head.TOO_MANY_LINES)
        name = name.lower()
        if name == b"expect":  # uvicorn looks what for
            super().on_header(name, value)
        else:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is read; unless it offers an upgrade the request is handed on."""
        self._fed = self._body = self._chunks = 0
        self._in_head = False
        self._head_is_there()
        refused = refusal(self.parser.get_http_version(), self.headers)
        if refused is None and len(self.pipeline) >= PIPELINED:
            refused = _TOO_MANY
        if refused is not None:
            self._object(refused)
        self._offered = self.parser.should_upgrade()
        if not self._offered:
            super().on_headers_complete()
            if self.pipeline:  # a request behind the one under way must not hide that its sender leaves
                self.flow.resume_reading()

    def on_chunk_header(self) -> None:
        """A chunk of a body begins."""
        self._chunks += 1
        if self._chunks > SMALL_CHUNKS + self._body // CHUNK_BYTES:
            self._object(_TOO_SMALL)

    def on_body(self, body: bytes) -> None:
        """Bytes of the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is read to its end."""
        self._fed = self._body = 0
        if self._offered:
            return
        super().on_message_complete()
        if self.cycle.response_complete and not self.transport.is_closing():  # its answer did not wait for its body
            self._head_is_there()
            self._idle()

    def on_response_complete(self) -> None:
        """An answer is written, as far as the client lets it be."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._stalls()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for as long as a connection is kept, unless something did since this was set."""
        super().timeout_keep_alive_handler()
        if self.transport.is_closing():
            self._stalls()

    def pause_writing(self) -> None:
        """The client does not read as quickly as is written."""
        self._stalls()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read most of what was written."""
        if not self.transport.is_closing():
            self._flows()
        super().resume_writing()

    def _when_lost(self, call: Callable[[], None]) -> Callable[[], None]:
        """As ``hang_up.WhenLost``. Reading goes on, also behind a large body, or nothing would be noticed."""
        if not (self.pipeline and len(self.cycle.body) > HIGH_WATER_LIMIT):  # of one that waits, enough has come
            self.flow.resume_reading()
        waiting = self._to_call_when_lost
        if self._lost:
            call()
        else:
            waiting.append(call)

        def call_off() -> None:
            if call in waiting:
                waiting.remove(call)

        return call_off

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """A request is handed to the application."""
        self._running = cycle
        take_whole_answers(cycle, OneWrite(self.transport, self.loop, self._leave))
        super()._start_asgi_task(cycle, app)

    def _leave(self) -> None:
        """Close behind an answer. One that did not wait for the whole body is ended, and what still comes of the body
        dropped for a while: closed under what a client sends, the connection is reset, and the answer lost with it."""
        cycle = self._running  # not handed in: it would keep itself
        if cycle is not None and cycle.response_complete and cycle.more_body and not self.transport.is_closing():
            self._deaf = True
            self.transport.write_eof()
            self._linger_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _without_upgrade(self, rest: bytes) -> None:
        """Read the head again without its offer, then what comes behind it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(Refusal(400, "This is no proxy: CONNECT is not answered.", "invalid_request"))
            return
        head = without_offer(method, self.url, self.parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self.data_received(head + rest)

    def _expect_head(self) -> None:
        self._head_is_there()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        what = f"The request's header did not come within {HEAD_SECONDS:g} s."
        self._refuse(Refusal(408, what, "request_timeout"))

    def _stalls(self) -> None:
        """What was written lies here. A connection that is closed first waits for its client to read it, for ever."""
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def _flows(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _object(self, refused: Refusal) -> NoReturn:
        """Stop the parser, which then raises where it was fed."""
        self._refusal = refused
        raise _RefusedError

    def _refuse(self, refused: Refusal) -> None:
        """Say why, unless an answer is on its way, and close.

        A whole request before this one is answered first: what may be paid for already is not thrown away.
        """
        if self.transport.is_closing():
            return
        running = self._running
        self._deaf = True
        self.pipeline.clear()
        if running is not None and not (running.response_complete or running.more_body):
            running.keep_alive = False
            return
        if running is None or running.response_complete or not running.response_started:
            self.transport.write(request_head.answer(refused, drawn_request_id()))
        self.transport.close()
        self._stalls()
