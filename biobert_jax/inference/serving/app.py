"""The application: its endpoints, and what every one of them does.

FastAPI, of the extra `serve`, is imported when an application is made.
"""

import contextlib
import hmac
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import biobert_jax
from biobert_jax.errors import UserError
from biobert_jax.inference.formats.json_lines import document_record
from biobert_jax.inference.formats.registry import FORMATS
from biobert_jax.inference.model import Model
from biobert_jax.inference.serving import schemas
from biobert_jax.inference.serving.batching import Batcher, Busy, TooSlow
from biobert_jax.inference.serving.limits import BodyLimit, Limits, Refused, answer
from biobert_jax.inference.serving.metrics import CONTENT_TYPE, Metrics
from biobert_jax.inference.serving.page import add_page
from biobert_jax.inference.serving.service import Service, warm_up

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

logger = logging.getLogger("biobert_jax")

_REFUSALS = {
    400: "no JSON",
    401: "no token, or another one",
    413: "more than the limits",
    415: "not declared as JSON",
    422: "members that do not fit",
    429: "the queue is full; see Retry-After",
    503: "no answer in time, or the service is stopping",
}


class State:
    """What changes while the service runs: `ready` once programs are compiled; `stopping`."""

    def __init__(self):
        self.ready = False
        self.stopping = False


def make_app(
    models: Sequence[Model],
    limits: Limits,
    token: str | None = None,
    hosts: Sequence[str] = ("*",),
    warm: bool = True,
) -> "FastAPI":
    """Makes the ASGI application.

    Args:
      models: with names, all different.
      limits: of what clients may ask for.
      token: what `Authorization: Bearer` must say; None lets everybody in.
      hosts: the names by which clients may call the service; others get 400, so that a page of
        another site cannot reach a service of this machine by a name of its own.
      warm: compile before the first request.
    """
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    metrics, state = Metrics(), State()
    batcher = Batcher(limits, metrics)
    service = Service(models, batcher)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = threading.Thread(target=_warm, args=(models, state))
        if warm:
            warming.start()
        else:
            state.ready = True
        yield
        state.stopping = True
        if warm:
            # A thread that compiles while Python ends takes the process down with it.
            warming.join()
        batcher.close()

    app = FastAPI(
        title="biobert_jax",
        version=biobert_jax.__version__,
        description="Entities, relations, answers and vectors of biomedical text.",
        docs_url=None,
        redoc_url=None,  # both load scripts from elsewhere
        lifespan=lifespan,
    )
    app.state.state = state
    _add_errors(app)
    _add_endpoints(app, service, limits)
    _add_operations(app, metrics, state)
    add_page(app)
    app.add_middleware(BodyLimit, limits=limits)  # pyright: ignore[reportArgumentType]
    if token is not None:
        app.add_middleware(_Token, token=token)  # pyright: ignore[reportArgumentType]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(_Watched, metrics=metrics, state=state)  # pyright: ignore
    return app


def _warm(models: Sequence[Model], state: State) -> None:
    started = time.monotonic()
    try:
        warm_up(models, lambda: state.stopping)
    except Exception:
        logger.exception("the models could not be tried; requests will say why")
    if state.stopping:
        return
    state.ready = True
    logger.info("ready: programs compiled in %.1f s", time.monotonic() - started)


def _add_errors(app: "FastAPI") -> None:
    from fastapi import Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, Response
    from starlette.exceptions import HTTPException

    def says(status: int, reason: str, headers: Any = None) -> JSONResponse:
        # Half surrogate pairs of a request would not be encodable.
        safe = reason.encode("ascii", "backslashreplace").decode()
        return JSONResponse({"error": safe}, status, headers)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            where = first["loc"][-1]
            reason = first.get("ctx", {}).get("error", "")
            return says(400, f"the body is no JSON: {reason} at character {where}")
        if first["type"] in _NO_OBJECT and not _is_json(request):
            return says(
                415, "the body is not JSON by its headers; send Content-Type: application/json"
            )
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"][1:])
        return says(422, f"{place.lstrip('.') or 'the body'}: {first['msg']}"[:500])

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        reason = _REASONS.get(str(error.detail), str(error.detail))
        return says(error.status_code, reason, error.headers)

    @app.exception_handler(Refused)
    async def _(request: Request, error: Refused) -> Response:
        return says(error.status, str(error))

    @app.exception_handler(UserError)
    async def _(request: Request, error: UserError) -> Response:
        return says(422, str(error)[:500])

    @app.exception_handler(Busy)
    async def _(request: Request, error: Busy) -> Response:
        return says(429, str(error), {"Retry-After": str(error.retry_after)})

    @app.exception_handler(TooSlow)
    async def _(request: Request, error: TooSlow) -> Response:
        return says(503, str(error), {"Retry-After": "5"})

    @app.exception_handler(Exception)
    async def _(request: Request, error: Exception) -> Response:
        logger.error("a fault of the program, at %s", request.url.path, exc_info=error)
        return says(500, "a fault of the program; the log of the service has it")


# What FastAPI and Starlette say in few words, by their words.
_REASONS = {
    "There was an error parsing the body": "the body is no JSON of UTF-8, or nested too deeply",
    "Not Found": "there is no such path; /docs has those there are",
    "Method Not Allowed": "another method is expected; see /docs",
}


_NO_OBJECT = ("model_attributes_type", "dataclass_type")
"""Pydantic's names for a body that is no object, as one that is not declared as JSON."""


def _is_json(request: "Request") -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


class _Token:
    """A layer that refuses requests without the token, before their bodies are read."""

    def __init__(self, app: Any, token: str):
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        guarded = scope["type"] == "http" and (
            scope["path"].startswith("/v1/") or scope["path"] == "/metrics"
        )
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        scheme, _, shown = given.partition(b" ")
        same = hmac.compare_digest(shown.strip(), self._token)
        if guarded and not (scheme.lower() == b"bearer" and same):
            reason = "expected the header `Authorization: Bearer TOKEN` with the service's token"
            await answer(send, 401, reason, more={"www-authenticate": "Bearer"})
        else:
            await self._app(scope, receive, send)


def _add_endpoints(app: "FastAPI", service: Service, limits: Limits) -> None:
    from fastapi.responses import JSONResponse, Response

    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": schemas.ErrorOut, "description": why} for status, why in _REFUSALS.items()
    }
    shared: dict[str, Any] = {
        "responses": refusals,
        "response_class": JSONResponse,
    }

    @app.get("/v1/models", response_model=schemas.ModelsResponse, **shared)
    async def models() -> Any:
        """The models, what they can do, and the limits of requests."""
        found = [
            {"name": model.name, "methods": list(model.methods), "types": model.entity_types}
            for model in service.models.values()
        ]
        own = {"body": limits.body, "text": limits.text, "texts": limits.texts}
        return JSONResponse({"models": found, "limits": own})

    @app.post("/v1/annotate", response_model=schemas.AnnotateResponse, **shared)
    async def annotate(asked: schemas.AnnotateRequest) -> Any:
        """Entities of texts, of every model or some; where asked, the relations among them."""
        asked.check(limits)
        ids = asked.ids or [str(number + 1) for number in range(len(asked.texts))]
        documents = await service.annotate(
            asked.texts, ids, asked.models, asked.relations, asked.overlaps
        )
        if asked.format == "json":
            return JSONResponse({"documents": [document_record(one) for one in documents]})
        ending, kind = schemas.FORMATS[asked.format]
        content = "".join(FORMATS[asked.format](documents))
        headers = {
            "content-disposition": f'attachment; filename="entities.{ending}"',
            # Should a browser open it all the same: it is a page of nobody.
            "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        }
        return Response(content.encode(errors="replace"), 200, headers, f"{kind}; charset=utf-8")

    @app.post("/v1/relations", response_model=schemas.RelationsResponse, **shared)
    async def relations(asked: schemas.RelationsRequest) -> Any:
        """Classes of the pairs that are marked in sentences."""
        asked.check(limits)
        found = await service.relations(asked.sentences, asked.model)
        said = [
            {"label": one.label, "score": one.probability, "probabilities": one.probabilities}
            for one in found
        ]
        return JSONResponse({"relations": said})

    @app.post("/v1/answer", response_model=schemas.AnswerResponse, **shared)
    async def answer(asked: schemas.AnswerRequest) -> Any:
        """Answers to a question, best first."""
        asked.check(limits)
        found = await service.answer(asked.question, asked.contexts, asked.top, asked.model)
        return JSONResponse({"answers": [_answer(one) for one in found]})

    @app.post("/v1/classify", response_model=schemas.ClassifyResponse, **shared)
    async def classify(asked: schemas.ClassifyRequest) -> Any:
        """Labels of texts, or of pairs of texts."""
        asked.check(limits)
        found = await service.classify(asked.texts, asked.seconds, asked.model)
        said = [{"labels": one.labels, "probabilities": one.probabilities} for one in found]
        return JSONResponse({"texts": said})

    @app.post("/v1/similarity", response_model=schemas.SimilarityResponse, **shared)
    async def similarity(asked: schemas.SimilarityRequest) -> Any:
        """How similar the two texts of each pair are, on the scale of the training scores."""
        asked.check(limits)
        scores = await service.similarity(asked.texts, asked.seconds, asked.model)
        return JSONResponse({"scores": [round(score, 6) for score in scores]})

    @app.post("/v1/embed", response_model=schemas.EmbedResponse, **shared)
    async def embed(asked: schemas.EmbedRequest) -> Any:
        """A vector of each text."""
        asked.check(limits)
        vectors = await service.embed(asked.texts, asked.pooling, asked.model)
        rows = [[round(float(x), 6) for x in vector] for vector in vectors]
        return JSONResponse({"vectors": rows, "size": len(rows[0])})


def _answer(one: Any) -> dict[str, Any]:
    values = {"text": one.text, "score": one.probability}
    if one.passage is not None:
        values |= {"passage": one.passage, "start": one.start, "end": one.end}
    return values


def _add_operations(app: "FastAPI", metrics: Metrics, state: State) -> None:
    from fastapi.responses import JSONResponse, Response

    @app.get("/health", include_in_schema=False)
    async def health() -> Response:
        return JSONResponse({"status": "alive"})

    @app.get("/ready", include_in_schema=False)
    async def ready() -> Response:
        status = "stopping" if state.stopping else "ready" if state.ready else "compiling"
        return JSONResponse({"status": status}, 200 if status == "ready" else 503)

    @app.get("/metrics", include_in_schema=False)
    async def numbers() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)


class _Watched:
    """The outermost layer: counts, refuses new work while the service stops, adds headers."""

    def __init__(self, app: Any, metrics: Metrics, state: State):
        self._app, self._metrics, self._state = app, metrics, state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # As a label, only what there is: paths of strangers would fill the memory.
        known = scope["path"] if scope["path"] in _KNOWN else "other"
        started, status = time.monotonic(), 0
        stopping = self._state.stopping

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cache-control", b"no-store"),
                    *([(b"connection", b"close")] if self._state.stopping else []),
                ]
            await send(message)

        try:
            with self._metrics.in_progress.track_inprogress():
                if stopping and scope["path"].startswith("/v1/"):
                    reason = "the service is stopping; ask another one, or later"
                    await answer(watched, 503, reason, more={"retry-after": "5"})
                else:
                    await self._app(scope, receive, watched)
        finally:
            self._metrics.requests.labels(known, str(status or 500)).inc()
            self._metrics.seconds.labels(known).observe(time.monotonic() - started)


_KNOWN = {
    *("/", "/docs", "/health", "/ready", "/metrics", "/openapi.json"),
    *(f"/v1/{name}" for name in ("models", "annotate", "relations", "answer", "classify")),
    *(f"/v1/{name}" for name in ("similarity", "embed")),
}
