"""What one client may ask for, so that no client can take the service from the others."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of the service.

    Attributes:
      body: bytes of a request.
      text: characters of a text.
      texts: of a request.
      waiting: texts that may wait for the model; more are refused with 429.
      batch: texts that the model reads at once.
      gather: seconds that a request waits for others to be read with it.
      answer: seconds until a request that has no answer is given up with 503.
      receive: seconds in which the head of a request, and then its body, must have arrived.
      connections: open at once; more are refused with 503.
      drain: seconds after SIGTERM in which new requests are refused with 503, so that clients
        and load balancers notice, before the service stops listening.
      stop: seconds after that for answers to what was accepted.
    """

    body: int = 2**20
    text: int = 100_000
    texts: int = 64
    waiting: int = 256
    batch: int = 32
    gather: float = 0.005
    answer: float = 60.0
    receive: float = 20.0
    connections: int = 256
    drain: float = 0.5
    stop: float = 60.0

    @property
    def waiting_characters(self) -> int:
        """Characters that may wait for the model, whatever the number of texts."""
        return 16 * max(self.body, self.text)


class Refused(Exception):
    """A request that is not answered: its status, and the reason for people."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


class BodyLimit:
    """An ASGI layer that reads a body, as far as `Limits` let it, before the application sees it.

    Answers 413 and 408 itself. What a client sends beyond the limit is dropped, not kept.
    """

    def __init__(self, app: App, limits: Limits):
        self._app = app
        self._limits = limits

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _declared_length(scope["headers"])
        if declared is not None and declared > self._limits.body:
            await answer(send, 413, self._too_long(f"{declared:,} bytes"))
            return
        try:
            async with asyncio.timeout(self._limits.receive):
                body = await self._read(receive)
        except TimeoutError:
            reason = f"the body did not arrive within {self._limits.receive:g} s"
            await answer(send, 408, reason, close=True)
            return
        if body is None:
            await answer(send, 413, self._too_long("more"))
            return
        given = False

        async def once() -> Message:
            nonlocal given
            if given:
                return await receive()  # waits for the end of the connection
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, once, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None where it is longer than the limit."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the client went away
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limits.body:
                return None
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_long(self, found: str) -> str:
        return (
            f"the body has {found}; expected {self._limits.body:,} bytes at the most. Send fewer "
            "texts at a time"
        )


def _declared_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


async def answer(
    send: Send, status: int, reason: str, close: bool = False, more: dict[str, str] | None = None
) -> None:
    """Sends `{"error": reason}`."""
    content = json.dumps({"error": reason}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(content))}
    headers |= {"connection": "close"} if close else {}
    encoded = [(n.encode(), v.encode()) for n, v in (headers | (more or {})).items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})
