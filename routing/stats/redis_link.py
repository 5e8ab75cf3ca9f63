"""Redis link: one Redis, asked in pipelines within a time limit. The only module that knows the Redis library.

Nothing is tried twice here, and what goes wrong is told in our own words.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from routing.stats.store import StoreUnavailableError

TIMEOUT_S = 1.0
"""To connect, and for each answer. Redis answers within milliseconds; what takes longer is as good as away."""
_SENTENCES = {
    "WRONGTYPE": "a key of the gateway's in Redis holds another type of data",
    "unknown command": "this Redis lacks a command: 6.2 or newer is needed",
    "OutOfMemory": "Redis is full",
    "ReadOnly": "this Redis is a read-only replica",
    "NoPermission": "Redis does not permit this user what the gateway needs",
    "Moved": "this node of a Redis Cluster does not hold the gateway's keys",
}
"""By what the library's class or the server's words contain."""


class RedisLink:
    """Connections to one Redis."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for an unusable URL. Connects when first used."""
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except Exception:  # noqa: BLE001 - whatever it says may show the URL and the password in it
            raise ValueError("not the URL of a Redis: redis://, rediss:// or unix:// is expected") from None

    def __repr__(self) -> str:
        return "RedisLink()"

    def pipeline(self) -> Any:
        """An empty pipeline; its methods are Redis's commands, and each returns it."""
        # No MULTI: nothing here needs its commands to be together, as entries are numbered and slices are marked.
        return self._redis.pipeline(transaction=False)

    async def replies(self, pipe: Any) -> list[Any]:
        """Send the pipeline; what Redis refused is an exception among the replies. Raises StoreUnavailableError."""
        try:
            replies: list[Any] = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(_sentence(error)) from None
        return replies

    async def run(self, pipe: Any) -> list[Any]:
        """The same, but raises StoreUnavailableError for anything that was refused as well."""
        return granted(await self.replies(pipe))

    async def close(self) -> None:
        """Close the connections."""
        with suppress(RedisError, OSError):
            await self._redis.aclose()


def granted(replies: list[Any]) -> list[Any]:
    """The replies. Raises StoreUnavailableError when one of them is a refusal."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise StoreUnavailableError(_sentence(reply))
    return replies


def _sentence(error: Exception) -> str:
    """What went wrong, in our own words: the library's may hold the address, and the server's anything."""
    if isinstance(error, (RedisTimeoutError, TimeoutError)):
        return "Redis does not answer in time"
    if isinstance(error, AuthenticationError):
        return "Redis asks for a password" if "required" in str(error) else "Redis refuses the user or the password"
    if isinstance(error, BusyLoadingError):
        return "Redis is still loading its data"
    if isinstance(error, ResponseError):
        # The library cuts the server's code off where it has a class for it.
        said = f"{type(error).__name__} {error}"
        return next((meaning for words, meaning in _SENTENCES.items() if words in said), "Redis answers with an error")
    return "Redis cannot be reached"
