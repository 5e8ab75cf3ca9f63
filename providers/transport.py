"""Transport: the only file that knows the HTTP library, opens a socket, or adds a credential to a request.

One pooled client per endpoint, and one bare client for everything a reply points to on another origin: no credential
ever enters that one, and it refuses to connect to addresses that are not public.
"""

from __future__ import annotations

import asyncio
import ipaddress
import mmap
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from providers.blobs import MemoryBlob, cut
from providers.credentials import Credential
from providers.spec.adapter import Endpoint
from providers.spec.conversation import AsBase64, BodyPart, HttpCall, Raw, Reply, Trust, Unanswered
from providers.spool import BodyTooLargeError, Spool

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_THREAD_BYTES = 256 * 1024
"""Bodies above this are cut, and blobs above this encoded, in a worker thread."""
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Seconds and bytes. The conversation's own time limit ends most calls long before ``total_s``."""

    connect_s: float = 10.0
    read_s: float = 300.0
    """Longest silence between two reads; as long as the slowest synchronous generation may be silent."""
    total_s: float = 600.0
    reply_bytes: int = 160 * 1024 * 1024
    """A 12288 x 1536 PNG of noise is 57 MB, 76 MB as base64; this is twice that."""
    error_bytes: int = 256 * 1024
    """An error body beyond this tells nothing more."""
    keepalive_s: float = 15.0
    """Idle connections are dropped before vendors drop them: a POST on a dead one is a possible double payment."""


class Transport:
    """Carries ``HttpCall`` to a vendor and brings the ``Reply``. Must be created and closed in a running event loop."""

    def __init__(self, *, spool_dir: Path | None = None, limits: TransportLimits | None = None) -> None:
        self._spool_dir = spool_dir
        self._limits = limits or TransportLimits()
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def send(self, call: HttpCall, endpoint: Endpoint, credential: Credential) -> Reply:
        """Carry out one call.

        Raises Unanswered when no usable reply came or the trust rule forbids the URL, CredentialUnavailableError when
        no credential could be had, SpoolFailedError when our own disk took no more.
        """
        url, own_origin = resolve(call, endpoint)
        if not own_origin:
            return await self._send_bare(call, url, endpoint)
        session = self._session(endpoint.provider)
        for renewed in (False, True):
            authorization = await credential.headers()
            headers = {**call.headers, **authorization}
            reply = await self._exchange(session, call, url, headers)
            if reply.status != 401 or renewed or not await credential.renew(authorization):
                break
        return reply

    async def _send_bare(self, call: HttpCall, url: URL, endpoint: Endpoint) -> Reply:
        session = self._session("", public_only=True)
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._exchange(session, call, url, dict(call.headers))
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or location is None:
                return reply
            try:
                target = str(url.join(URL(location)))
            except ValueError as broken:
                raise Unanswered("the reply redirected to something that is no URL", sent=True) from broken
            next_call = HttpCall(call.method, target, Trust.RESPONSE, call.headers, wants_image=call.wants_image)
            url, own_origin = resolve(next_call, endpoint)
            if own_origin:
                raise Unanswered("a media host redirected to the vendor's API", sent=True)
        raise Unanswered(f"more than {MAX_REDIRECTS} redirects", sent=True)

    def _session(self, name: str, *, public_only: bool = False) -> aiohttp.ClientSession:
        session = self._sessions.get(name)
        if session is None:
            limits = self._limits
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=limits.keepalive_s,
                resolver=PublicOnlyResolver() if public_only else None,
            )
            session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=limits.total_s, sock_connect=limits.connect_s, sock_read=limits.read_s
                ),
                read_bufsize=_CHUNK,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"User-Agent": "image-gateway", "Accept-Encoding": "identity"},
            )
            self._sessions[name] = session
        return session

    async def _exchange(
        self, session: aiohttp.ClientSession, call: HttpCall, url: URL, headers: dict[str, str]
    ) -> Reply:
        data, length = await _request_body(call.body)
        if call.body:
            headers.setdefault("Content-Type", "application/json")
            headers["Content-Length"] = str(length)
        loop = asyncio.get_running_loop()
        started = loop.time()
        spool: Spool | None = None
        try:
            async with session.request(call.method, url, data=data, headers=headers, allow_redirects=False) as response:
                first_byte = loop.time() - started
                ok = 200 <= response.status < 300
                spool = Spool(self._spool_dir, limit=self._limits.reply_bytes if ok else self._limits.error_bytes)
                async for chunk in response.content.iter_any():
                    spool.write(chunk)
                body = spool.finish()
                return await _reply(response.status, response.headers, body, call, first_byte)
        except BodyTooLargeError as large:
            raise Unanswered("the reply was too large", sent=True) from large
        except aiohttp.ConnectionTimeoutError as timeout:
            raise Unanswered("no connection in time", sent=False) from timeout
        except aiohttp.ClientConnectorError as refused:
            raise Unanswered("no connection", sent=False) from refused
        except aiohttp.InvalidURL as invalid:
            raise Unanswered("not a usable URL", sent=False) from invalid
        except TimeoutError as silent:
            raise Unanswered("silence for too long", sent=True) from silent
        except (aiohttp.ClientError, ConnectionError) as broken:
            raise Unanswered("the connection broke", sent=True) from broken
        finally:
            if spool is not None:
                spool.close()

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()


def resolve(call: HttpCall, endpoint: Endpoint) -> tuple[URL, bool]:
    """The URL of a call and whether it has the configured origin, that is, whether credentials may go there.

    Raises Unanswered(sent=False) for a URL the trust rule forbids.
    """
    base = URL(endpoint.base_url)
    if call.trust is Trust.CONFIGURED and call.url.startswith("/"):
        return URL(endpoint.base_url + call.url, encoded=True), True
    try:
        url = URL(call.url)
        origin, port = url.origin(), url.port
    except ValueError as broken:
        raise Unanswered("not a usable URL", sent=False) from broken
    if origin == base.origin() and url.user is None:
        return url, True
    if call.trust is Trust.CONFIGURED:
        raise Unanswered("the URL is not on the configured origin", sent=False)
    if url.scheme != "https" or port != 443 or url.user is not None or url.password is not None:
        raise Unanswered("the reply pointed to a URL that is not plain https", sent=False)
    if not _listed(url.host or "", endpoint.media_hosts):
        raise Unanswered("the reply pointed to a host that is not this vendor's", sent=False)
    return url, False


def _listed(host: str, hosts: frozenset[str]) -> bool:
    host = host.lower().rstrip(".")
    return any(host.endswith(entry) if entry.startswith(".") else host == entry for entry in hosts)


class PublicOnlyResolver(AbstractResolver):
    """Resolves a name once and hands out its public addresses only; the connection goes to just those addresses."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of ``host``. Raises OSError when none of them is public."""
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise OSError(None, "the host has no public address")
        return public

    async def close(self) -> None:
        """Nothing to close."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, also when written as an IPv4 address inside an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    inner: ipaddress.IPv4Address | None = None
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if inner is not None:
        return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


async def _request_body(parts: tuple[BodyPart, ...]) -> tuple[bytes | AsyncIterator[bytes] | None, int]:
    if not parts:
        return None, 0
    if all(isinstance(part, bytes) for part in parts):
        joined = b"".join(part for part in parts if isinstance(part, bytes))
        return joined, len(joined)
    length = sum(_part_length(part) for part in parts)
    return _stream(parts), length


def _part_length(part: BodyPart) -> int:
    if isinstance(part, bytes):
        return len(part)
    if isinstance(part, Raw):
        return part.blob.length
    return len(part.prefix.encode()) + (part.blob.length + 2) // 3 * 4


async def _stream(parts: tuple[BodyPart, ...]) -> AsyncIterator[bytes]:
    for part in parts:
        data = await asyncio.to_thread(_part_bytes, part) if _part_length(part) > _THREAD_BYTES else _part_bytes(part)
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]


def _part_bytes(part: BodyPart) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, AsBase64):
        return part.prefix.encode() + part.blob.base64()
    return part.blob.read()


async def _reply(
    status: int, headers: Mapping[str, str], body: bytes | mmap.mmap, call: HttpCall, first_byte: float
) -> Reply:
    names: Mapping[str, str] = MappingProxyType({name.lower(): value for name, value in headers.items()})
    if call.wants_image and 200 <= status < 300:
        media_type = names.get("content-type", "").split(";")[0].strip().lower()
        blob = MemoryBlob(body if isinstance(body, bytes) else memoryview(body), media_type)
        return Reply(status, names, blob=blob, first_byte_seconds=first_byte)
    skeleton, blobs = await asyncio.to_thread(cut, body) if len(body) > _THREAD_BYTES else cut(body)
    return Reply(status, names, skeleton, blobs, first_byte_seconds=first_byte)
