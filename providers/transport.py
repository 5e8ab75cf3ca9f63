"""Transport: calls to vendors. Nothing else adds a credential to a request, and only its helpers (``direct``,
``straight``, ``broken``, ``public_only``) and ``fetching`` know the HTTP library too.

One pooled client per endpoint, and one bare client for everything a reply points to on another origin: no credential
ever enters that one, and it refuses to connect to addresses that are not public.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import aiohttp
from yarl import URL

from providers.addresses import is_address
from providers.blobs import Bytes, MemoryBlob, cut
from providers.bodies import body_length, request_body
from providers.broken import unanswered_by
from providers.connections import Connections
from providers.credentials import Credential
from providers.direct import BODY_BYTES, Direct, DirectReply, headers_of
from providers.event_stream import Events, EventStream
from providers.incoming import Incoming
from providers.outside import RefusedUrlError, as_given, judged
from providers.pieces import BUFFERED, Memory
from providers.public_only import public_only
from providers.spec.adapter import Endpoint
from providers.spec.blob import Blob
from providers.spec.conversation import HttpCall, Reply, Trust, Unanswered
from providers.spec.unguarded import unguarded
from providers.spool import SPOOL_THRESHOLD, BodyTooLargeError
from providers.straight import take_rest
from providers.transport_limits import TransportLimits
from providers.workers import Workers

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_THREAD_BYTES = 4 * 1024 * 1024
"""Events, and bodies of one read, above this are cut in a worker thread; below, a thread takes longer to begin (0.1 ms
for 2 MB)."""
_READ_AHEAD = 64 * 1024
"""Bytes of a reply the HTTP library holds before it stops reading: twice this, and what came on top at once (256 KB).
Four times as much made nothing faster, and each reply held 0.7 MB more."""


@unguarded
@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, and the stream of its events if it has one. Whoever takes the stream closes it."""

    reply: Reply
    events: EventStream | None = None


class Transport:
    """Carries ``HttpCall`` to a vendor and brings the ``Reply``. Must be created and closed in a running event loop."""

    def __init__(
        self,
        *,
        workers: Workers | None = None,
        spool_dir: Path | None = None,
        limits: TransportLimits | None = None,
        reply_memory: int = BUFFERED,
    ) -> None:
        self._workers = workers or Workers()
        self._spool_dir = spool_dir
        self._limits = limits or TransportLimits()
        self._memory = Memory(reply_memory)
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._direct: dict[str, Direct] = {}
        self._closed = False

    async def send(self, call: HttpCall, endpoint: Endpoint, credential: Credential) -> Reply:
        """Carry out a call that wants no events. Raises as ``open`` does."""
        return (await self.open(call, endpoint, credential)).reply

    async def open(
        self, call: HttpCall, endpoint: Endpoint, credential: Credential, *, limit_s: float | None = None
    ) -> Answered:
        """Carry out one call; where it wants events and gets them, up to the head of the reply. ``limit_s``: seconds
        after which whoever called ends it; a silence that would only be noticed later is not looked for.

        Raises Unanswered when no usable reply came or the trust rule forbids the URL, CredentialUnavailableError when
        no credential could be had, SpoolFailedError when our own disk took no more.
        """
        url, own_origin = resolve(call, endpoint)
        if not own_origin:
            return await self._open_bare(call, url, endpoint)
        for renewed in (False, True):
            authorization = await credential.headers()
            session = self._session(endpoint.provider)
            direct = None if call.events else self._direct.get(endpoint.provider)
            answered = await self._exchange(session, call, url, authorization, direct, limit_s)
            if answered.reply.status != 401 or renewed or not await credential.renew(authorization):
                break
        return answered

    async def _open_bare(self, call: HttpCall, url: URL, endpoint: Endpoint) -> Answered:
        for _ in range(MAX_REDIRECTS + 1):
            answered = await self._exchange(self._session("", bare=True), call, url, {})
            location = answered.reply.headers.get("location")
            if call.method != "GET" or answered.reply.status not in _REDIRECTS or location is None:
                return answered
            try:
                target = str(url.join(as_given(location)))
            except ValueError as broken:
                raise Unanswered("the reply redirected to something that is no URL", sent=True) from broken
            url, own_origin = resolve(HttpCall("GET", target, Trust.RESPONSE), endpoint)
            if own_origin:
                raise Unanswered("a media host redirected to the vendor's API", sent=True)
        raise Unanswered(f"more than {MAX_REDIRECTS} redirects", sent=True)

    def _session(self, name: str, *, bare: bool = False) -> aiohttp.ClientSession:
        if self._closed:
            raise Unanswered("the gateway is shutting down", sent=False)
        session = self._sessions.get(name)
        if session is None:
            limits = self._limits
            connector = (
                public_only(limit=0, keepalive_s=limits.keepalive_s)
                if bare
                else Connections(limit=0, keepalive_timeout=limits.keepalive_s)
            )
            session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s, sock_read=limits.read_s),
                read_bufsize=_READ_AHEAD,
                auto_decompress=not bare,  # what is asked for bare is a picture, which nobody compresses again
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"User-Agent": "image-gateway", "Accept-Encoding": "identity"},
            )
            self._sessions[name] = session
            if not bare and (direct := Direct.of(session, _READ_AHEAD)) is not None:
                self._direct[name] = direct
        return session

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        call: HttpCall,
        url: URL,
        authorization: Mapping[str, str],
        direct: Direct | None = None,
        limit_s: float | None = None,
    ) -> Answered:
        now = asyncio.get_running_loop().time
        started = now()
        data = request_body(call.body, self._workers)
        response: aiohttp.ClientResponse | DirectReply
        try:
            if direct and call.method == "POST" and isinstance(data, bytes) and len(data) <= BODY_BYTES:
                read_s = self._limits.read_s
                silence_s = read_s if limit_s is None or limit_s >= read_s else None
                response = await direct.post(url, call.headers, authorization, data, silence_s=silence_s)
            else:
                length = body_length(call.body) if call.body else None
                headers = headers_of(call.headers.items(), authorization.items(), length)
                response = await session.request(call.method, url, data=data, headers=headers, allow_redirects=False)
            return await self._taken(response, call, now() - started, identity=not session.auto_decompress)
        except (BodyTooLargeError, aiohttp.ClientError, OSError) as broken:
            unanswered = unanswered_by(broken)
        # Not raised above, where the library's error would stay its context: that one holds the request's headers, and
        # so the credential.
        raise unanswered

    async def _taken(
        self, response: aiohttp.ClientResponse | DirectReply, call: HttpCall, first_byte_s: float, *, identity: bool
    ) -> Answered:
        """The reply whose head is here. ``identity``: it is refused when it is compressed."""
        followed = False
        try:
            if identity and response.headers.get("content-encoding", "identity").lower() != "identity":
                raise Unanswered("the reply was compressed, which was not asked for", sent=True)
            names = MappingProxyType({name.lower(): value for name, value in response.headers.items()})
            ok = 200 <= response.status < 300
            streams = call.events and ok and _media_type(names) == "text/event-stream"
            if streams and isinstance(response, aiohttp.ClientResponse):
                head = Reply(response.status, names, first_byte_seconds=first_byte_s)
                followed = True  # the connection stays open; whoever reads the events closes it
                return Answered(replace(head, events=True), self._events(response, call, head))
            body = await self._body(response, ok=ok, is_image=call.wants_image and ok)
        finally:
            if not followed:
                response.release()  # one whose body was not read to its end is closed by this
        return Answered(await self._reply(response.status, names, first_byte_s, call, body))

    async def _body(
        self, response: aiohttp.ClientResponse | DirectReply, *, ok: bool, is_image: bool
    ) -> bytes | Incoming:
        content, limit = response.content, self._limits.reply_bytes if ok else self._limits.error_bytes
        first = content.read_nowait() if content.is_eof() else await content.readany()
        if content.at_eof() and len(first) <= min(limit, SPOOL_THRESHOLD):
            return first
        stated = response.content_length if ok else None
        incoming = Incoming(self._spool_dir, limit=limit, stated=stated, memory=self._memory, is_image=is_image)
        rest = None if stated is None else partial(take_rest, response, stated=stated, silence_s=self._limits.read_s)
        await incoming.collect(first, content.readany, cap=None if ok else limit, rest=rest)
        return incoming

    async def _reply(
        self,
        status: int,
        headers: Mapping[str, str],
        first_byte_s: float,
        call: HttpCall,
        body: Bytes | Incoming,
    ) -> Reply:
        if call.wants_image and 200 <= status < 300:
            blob = _image(body, _media_type(headers))
            return Reply(status, headers, blob=blob, first_byte_seconds=first_byte_s)
        if isinstance(body, Incoming):
            skeleton, blobs = await body.document(self._workers)
        else:
            skeleton, blobs = await self._workers.run(cut, body) if len(body) > _THREAD_BYTES else cut(body)
        return Reply(status, headers, skeleton, blobs, first_byte_seconds=first_byte_s)

    def _events(self, response: aiohttp.ClientResponse, call: HttpCall, head: Reply) -> EventStream:
        events = Events(self._spool_dir, limit=self._limits.reply_bytes)
        return EventStream(
            events,
            partial(_chunk, response.content),
            partial(self._reply, head.status, head.headers, head.first_byte_seconds, call),
            response.close,
        )

    async def close(self) -> None:
        """Close every connection. Later calls are Unanswered."""
        self._closed = True
        sessions, self._sessions, self._direct = list(self._sessions.values()), {}, {}
        for session in sessions:
            await session.close()


def resolve(call: HttpCall, endpoint: Endpoint) -> tuple[URL, bool]:
    """The URL of a call and whether it has a configured origin, that is, whether credentials may go there.

    Raises Unanswered(sent=False) for a URL the trust rule forbids.
    """
    if call.trust is Trust.CONFIGURED and call.url.startswith("/"):
        return URL(endpoint.base_url + call.url, encoded=True), True
    try:
        url = as_given(call.url)
        origin = _origin(url)
    except ValueError as broken:
        raise Unanswered("not a usable URL", sent=False) from broken
    nobody = url.user is None and url.password is None
    if nobody and origin in {_origin(URL(base)) for base in (endpoint.base_url, *endpoint.also)}:
        return url, True
    if call.trust is Trust.CONFIGURED:
        raise Unanswered("the URL is not on a configured origin", sent=False)
    if not nobody or origin[0] != "https" or origin[2] != 443:
        raise Unanswered("the reply pointed to a URL that is not plain https", sent=False)
    try:
        judged(call.url)
    except RefusedUrlError:
        raise Unanswered("the reply pointed to a URL that is not asked for", sent=False) from None
    if not _listed(origin[1], endpoint.media_hosts):
        raise Unanswered("the reply pointed to a host that is not this vendor's", sent=False)
    return url, False


def _origin(url: URL) -> tuple[str, str, int | None]:
    """Raises ValueError when the URL has none. A spelt-out default port makes no other origin."""
    url.origin()
    return url.scheme.lower(), (url.host or "").lower(), url.port


def _listed(host: str, hosts: frozenset[str]) -> bool:
    host = host.rstrip(".")
    return not is_address(host) and any(
        host.endswith(entry) if entry.startswith(".") else host == entry for entry in hosts
    )


def _image(body: Bytes | Incoming, media_type: str) -> Blob:
    if isinstance(body, Incoming):
        return body.image(media_type)
    return MemoryBlob(body if isinstance(body, bytes) else memoryview(body), media_type)


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()


async def _chunk(content: aiohttp.StreamReader) -> bytes:
    """The next bytes of a body, none at its end. Raises Unanswered when it breaks or is silent for too long."""
    try:
        return await content.readany()
    except (aiohttp.ClientError, OSError) as broken:
        unanswered = unanswered_by(broken)
    raise unanswered  # not above, for the reason given in _exchange
