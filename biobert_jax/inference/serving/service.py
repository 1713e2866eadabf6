"""The models of a service, and what is asked of them, in batches."""

import dataclasses
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from biobert_jax.errors import UserError
from biobert_jax.files import to_path
from biobert_jax.inference.formats.document import Document
from biobert_jax.inference.model import Model, load
from biobert_jax.inference.packed import MAX_ROWS
from biobert_jax.inference.questions import Asked
from biobert_jax.inference.serving.batching import Batcher
from biobert_jax.inference.several import merge
from biobert_jax.inference.text_arguments import text_records

logger = logging.getLogger("biobert_jax")

_NAME = re.compile(r"([A-Za-z][\w.-]*)=(.+)", re.DOTALL)


def load_models(
    given: Sequence[str], types: Sequence[str] = (), dtype: str = "float32"
) -> list[Model]:
    """Loads models.

    Args:
      given: each a path or NAME=PATH; without a name, the last part of the path is one.
      types: each TYPE or NAME=TYPE: what a model of bare B and I labels finds; without a name, of
        the only model.
      dtype: what matrix products are computed in.

    Raises:
      UserError: two have one name, a type is of no model; or as `load`.
    """
    named: dict[str, str] = {}
    for one in given:
        match = None if to_path(one).exists() else _NAME.fullmatch(one)
        name, source = match.groups() if match else (to_path(one).name or one, one)
        if name in named:
            raise UserError(
                f"--model {one}: a second model called {name!r}; name them, as in "
                f"--model first={named[name]} --model second={source}"
            )
        named[name] = source
    own: dict[str, str] = {}
    for one in types:
        name, equals, kind = one.rpartition("=")
        if not equals and len(named) == 1:
            (name,) = named
        if name not in named:
            raise UserError(
                f"--type {one}: expected NAME=TYPE with the name of a model, one of "
                f"{', '.join(named)}"
            )
        own[name] = kind
    return [
        load(source, name=name, entity_type=own.get(name, ""), dtype=dtype)
        for name, source in named.items()
    ]


class NoSuchModel(UserError):
    """A request names a model that is not there, or asks for what none can do."""


class Service:
    """Models by name, with a queue before them.

    Args:
      models: with names, all different.
      batcher: what runs them.
    """

    def __init__(self, models: Sequence[Model], batcher: Batcher):
        self.models = {model.name: model for model in models}
        self.batcher = batcher
        for model in models:
            if "relations" in model.methods and not model.classifier.marks:
                logger.warning(
                    "%s does not say which marks it was trained on: it classifies marked sentences "
                    "alone, not the pairs of entities that are found",
                    model.source,
                )

    def of(self, method: str, names: Iterable[str] | None = None) -> list[Model]:
        """The models that have a method: those of these names, or all.

        Raises:
          NoSuchModel: there are none, or one of these names is no such model.
        """
        able = {n: m for n, m in self.models.items() if method in m.methods}
        if method == "relate":
            able = {n: m for n, m in able.items() if m.classifier.marks}
        if not able:
            what = ", ".join(f"{n} ({', '.join(m.methods)})" for n, m in self.models.items())
            raise NoSuchModel(f"no model here can {method}. Those here: {what}")
        for name in names or ():
            if name not in able:
                raise NoSuchModel(
                    f"no model {name!r} here can {method}; expected one of {', '.join(able)}"
                )
        return [able[name] for name in names] if names else list(able.values())

    async def annotate(
        self,
        texts: Sequence[str],
        ids: Sequence[str],
        names: Sequence[str] | None = None,
        relations: bool = False,
        overlaps: str = "longest",
    ) -> list[Document]:
        """Finds entities with each of the models, and what relates them where asked.

        `overlaps` says what becomes of entities of different models that overlap, as `biobert
        annotate` has it: see `inference.several.merge`.
        """
        models = self.of("annotate", names)
        relaters = self.of("relate") if relations else []
        by_model = [
            await self._run("annotate", model.name, _annotate(model), texts) for model in models
        ]
        documents = [
            Document(name, text, entities=merge(found, overlaps))
            for name, text, *found in zip(ids, texts, *by_model, strict=True)
        ]
        for model in relaters:
            found = await self._run("relate", model.name, _relate(model), documents, texts)
            documents = [
                dataclasses.replace(one, relations=(*one.relations, *relations))
                for one, relations in zip(documents, found, strict=True)
            ]
        return documents

    async def relations(self, sentences: Sequence[str], name: str | None = None) -> Sequence[Any]:
        """Classifies marked sentences."""
        model = self.of("relations", [name] if name else None)[0]
        return await self._run("relations", model.name, model.relations, sentences)

    async def answer(
        self, question: str, contexts: Sequence[str], top: int | None, name: str | None = None
    ) -> Sequence[Any]:
        """Answers one question."""
        model = self.of("answer", [name] if name else None)[0]

        def run(asked: Sequence[Asked]) -> Sequence[Any]:
            return model.answer_asked(asked, top)

        asked = [Asked("1", question, tuple(contexts))]
        size = ["".join((question, *contexts))]
        return (await self._run("answer", (model.name, top), run, asked, size))[0]

    async def classify(
        self, texts: Sequence[str], seconds: Sequence[str] | None, name: str | None = None
    ) -> Sequence[Any]:
        """Gives texts, or pairs of texts, their labels."""
        model = self.of("classify", [name] if name else None)[0]
        return await self._of_texts("classify", model, texts, seconds)

    async def similarity(
        self, texts: Sequence[str], seconds: Sequence[str], name: str | None = None
    ) -> Sequence[Any]:
        """Scores pairs of texts."""
        model = self.of("similarity", [name] if name else None)[0]
        return await self._of_texts("similarity", model, texts, seconds)

    async def _of_texts(
        self, method: str, model: Model, texts: Sequence[str], seconds: Sequence[str] | None
    ) -> Sequence[Any]:
        records = text_records(texts, seconds)
        run = model.classify_records if method == "classify" else model.compare_records
        sizes = [record.text + (record.second or "") for record in records]
        # Texts and pairs are not read together: a model of one refuses the other.
        return await self._run(method, (model.name, seconds is None), run, records, sizes)

    async def embed(
        self, texts: Sequence[str], pooling: str, name: str | None = None
    ) -> Sequence[Any]:
        """Makes a vector of each text."""
        model = self.of("embed", [name] if name else None)[0]

        def run(texts: Sequence[str]) -> Any:
            return model.embed(texts, pooling).vectors

        return await self._run("embed", (model.name, pooling), run, texts)

    async def _run(
        self,
        method: str,
        key: Any,
        run: Callable[[Sequence[Any]], Sequence[Any]],
        items: Sequence[Any],
        texts: Sequence[str] | None = None,
    ) -> Sequence[Any]:
        characters = sum(map(len, items if texts is None else texts))
        return await self.batcher.submit((method, key), run, items, characters)


def warm_up(models: Sequence[Model], stopped: Callable[[], bool] = lambda: False) -> None:
    """Compiles what requests will need: a program for each number of rows of each model.

    Args:
      models: the most used programs of all come first.
      stopped: ends it before the next program.
    """
    rows = 1
    while rows <= MAX_ROWS:
        for model in models:
            if stopped():
                return
            _first_use(model, rows)
        rows *= 2


def _first_use(model: Model, rows: int) -> None:
    if "annotate" in model.methods:
        model.annotate([_words(model.annotator.windowing.max_length)] * rows)
    elif "relations" in model.methods:
        # Marks are not looked at here, and sentences need none.
        text = _words(model.classifier.windowing.max_length)
        from biobert_jax.datasets.relation_files import RelationExample

        model.relations_of([RelationExample("", text, "", (), "")] * rows)
    elif "answer" in model.methods:
        text = _words(model.answerer.windowing.max_length - 8)
        model.answer_asked([Asked("", "word", (text,))] * rows)
    elif "classify" in model.methods:
        text = _words(model.text_classifier.windowing.max_length // 2)
        model.classify([text] * rows, [text] * rows if model.text_classifier.paired else None)
    elif "similarity" in model.methods:
        text = _words(model.comparer.windowing.max_length // 2)
        model.similarity([text] * rows, [text] * rows)
    else:
        model.embed([_words(model.checkpoint.config.max_position_embeddings)] * rows)


def _words(length: int) -> str:
    """A sentence that fills most of a row, whatever pieces its words are cut into."""
    return " ".join(["a"] * max(1, length * 3 // 4))


def _annotate(model: Model) -> Callable[[Sequence[str]], Sequence[Any]]:
    return lambda texts: [document.entities for document in model.annotate(texts)]


def _relate(model: Model) -> Callable[[Sequence[Document]], Sequence[Any]]:
    return lambda documents: [document.relations for document in model.relate(documents)]
