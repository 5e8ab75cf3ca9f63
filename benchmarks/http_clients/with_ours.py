"""What is measured beside the candidates: our transport itself, with all it does around the client it uses."""

from __future__ import annotations

from benchmarks.http_clients.contract import Answer, Post, Target, Write
from providers.credentials import StaticKey
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall
from providers.transport import Transport


class Client:
    """The reply lies in the transport's own spool, cut into skeleton and images; nothing is written but its length."""

    def __init__(self, target: Target) -> None:
        self._endpoint = Endpoint("bench", target.origin)
        self._credential = StaticKey("x-goog-api-key", "vendor-key-of-the-bench")
        self._transport = Transport(spool_dir=target.spool)

    async def post(self, ask: Post, write: Write) -> Answer:
        """As the contract says, but for the bytes."""
        call = HttpCall("POST", ask.path, headers=ask.headers, body=(ask.body,))
        reply = (await self._transport.open(call, self._endpoint, self._credential)).reply
        write(reply.body)
        return Answer(reply.status, reply.headers.get("content-type", ""))

    async def close(self) -> None:
        """As the contract says."""
        await self._transport.close()
