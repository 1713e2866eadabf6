"""The process that serves: sockets, slow clients, signals.

uvicorn, of the extra `serve`, is imported when a server is made.
"""

import asyncio
import ipaddress
import logging
import socket
from typing import Any

from biobert_jax.errors import UserError
from biobert_jax.inference.serving.limits import Limits

logger = logging.getLogger("biobert_jax")

_TOO_SLOW = b'{"error": "the head of the request did not arrive in time"}'


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """A socket to listen on.

    Raises:
      UserError: the address is in use, or not of this machine.
    """
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        bound = socket.socket(family, kind)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise UserError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}). Give another --port "
            "(0 takes any that is free), or another --host"
        ) from error
    return bound


def make_server(app: Any, limits: Limits) -> Any:
    """A uvicorn.Server whose `run(sockets=[...])` serves until SIGTERM, SIGINT or its `stop()`."""
    import uvicorn

    state = app.state.state

    class Stopping(uvicorn.Server):
        """Refuses new requests with an answer, then stops listening, then answers the rest."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for bound in sockets or ():
                host, port = bound.getsockname()[:2]
                host = f"[{host}]" if ":" in host else host
                logger.info("http://%s:%d/ (the page), /docs (for programs)", host, port)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # A client whose connection the system has made, and that nobody has accepted, would
            # see it reset: these are accepted first, and what they ask is read and refused.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for listening in self.servers:
                listening.close()
            await asyncio.sleep(limits.drain)
            await super().shutdown(sockets)

        def handle_exit(self, sig: int, frame: Any) -> None:
            if state.stopping:  # the second signal
                super().handle_exit(sig, frame)
                return
            self.stop()

        def stop(self) -> None:
            """Begins to stop, as SIGTERM does; returns at once."""
            state.stopping = True
            logger.info("stopping: answering what was accepted")

        async def on_tick(self, counter: int) -> bool:
            if state.stopping and not self.should_exit:
                await asyncio.sleep(limits.drain)
                self.should_exit = True
            return await super().on_tick(counter)

    config = uvicorn.Config(
        app,
        http=_protocol(limits),
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=max(1, round(limits.stop)),
    )
    return Stopping(config)


def _protocol(limits: Limits) -> type:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Guarded(H11Protocol):
        """Closes connections on which no whole head of a request arrives in time."""

        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def _waits_for_head(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _watch_head(self) -> None:
            if not self._waits_for_head():
                self._stop_timer()
            elif self._head_timer is None:  # further bytes do not move the deadline
                self._head_timer = self.loop.call_later(limits.receive, self._head_too_slow)

        def _stop_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _head_too_slow(self) -> None:
            self._head_timer = None
            if not self._waits_for_head() or self.transport.is_closing():
                return
            if self.cycle is None:
                head = f"HTTP/1.1 408 Request Timeout\r\ncontent-length: {len(_TOO_SLOW)}\r\n"
                head += "content-type: application/json\r\nconnection: close\r\n\r\n"
                self.transport.write(head.encode() + _TOO_SLOW)
            self.transport.close()

    return Guarded
