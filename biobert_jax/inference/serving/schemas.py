"""What requests and answers hold: FastAPI checks the types and describes them in OpenAPI.

Plain dataclasses, so that nothing of the extra `serve` is imported with this module.
"""
# ruff: noqa: RUF009  (what `_described` makes is made once, as by dataclasses.field)

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from biobert_jax.inference.serving.limits import Limits, Refused

FORMATS = {  # what a download is called and is
    "jsonl": ("jsonl", "application/jsonl"),
    "conll": ("conll", "text/plain"),
    "brat": ("ann", "text/plain"),
    "pubtator": ("pubtator", "text/plain"),
    "bioc": ("xml", "application/xml"),
    "bioc-json": ("json", "application/json"),
    "html": ("html", "text/html"),
}
Format = Literal["json", "jsonl", "conll", "brat", "pubtator", "bioc", "bioc-json", "html"]

_NOT_IN_IDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ID_LENGTH = 200
_TOP = 100


def _described(description: str = "", default: Any = None, examples: Sequence[Any] = ()) -> Any:
    """A member that may be left out; or, with examples, one that is required."""
    said = {"description": description} if description else {}
    if examples:
        return field(metadata=said | {"examples": list(examples)})
    return field(default=default, metadata=said)


@dataclass
class AnnotateRequest:
    """Texts in which to find entities."""

    # A member that is misspelled would be ignored.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    texts: list[str] = _described(examples=[["Torsade de pointes after cisapride."]])
    ids: list[str] | None = _described("of the texts; their numbers by default")
    models: list[str] | None = _described("names of models; by default all")
    relations: bool = _described("classify the pairs of entities, too", False)
    overlaps: Literal["longest", "keep"] = _described(
        "of entities of several models that overlap: the longest alone, or all", "longest"
    )
    format: Format = _described("json, or a file in one of the formats", "json")

    def check(self, limits: Limits) -> None:
        """Raises Refused where it is more than the limits, or members do not go together."""
        check_texts("texts", self.texts, limits)
        if self.ids is not None:
            for i, one in enumerate(self.ids):
                if not 0 < len(one) <= _ID_LENGTH or _NOT_IN_IDS.search(one):
                    raise Refused(
                        422,
                        f"ids[{i}]: expected 1 to {_ID_LENGTH} characters, no tab, line break or "
                        "other control character among them",
                    )
            if len(self.ids) != len(self.texts) or len(set(self.ids)) < len(self.ids):
                raise Refused(422, "ids: expected one for each text, all different")
        if self.format == "brat" and len(self.texts) > 1:
            raise Refused(422, "format: brat has a file for each text; send one text")


@dataclass
class RelationsRequest:
    """Sentences with a marked pair each."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    sentences: list[str] = _described(examples=[["@GENE$ is mutated in @DISEASE$."]])
    model: str | None = None

    def check(self, limits: Limits) -> None:
        """Raises Refused where it is more than the limits."""
        check_texts("sentences", self.sentences, limits)


@dataclass
class AnswerRequest:
    """A question, and the passages to find the answer in."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    question: str = _described(examples=["What relieves pain?"])
    contexts: list[str] = _described(examples=[["Aspirin relieves pain."]])
    top: int | None = _described("at most so many answers")
    model: str | None = None

    def check(self, limits: Limits) -> None:
        """Raises Refused where it is more than the limits, or nothing is asked."""
        check_texts("contexts", self.contexts, limits)
        check_texts("question", [self.question], limits)
        for name, texts in (("question", [self.question]), ("contexts", self.contexts)):
            if not all(text.strip() for text in texts):
                raise Refused(422, f"{name}: found an empty text")
        if self.top is not None and not 1 <= self.top <= _TOP:
            raise Refused(422, f"top: found {self.top}; expected 1 to {_TOP}")


@dataclass
class ClassifyRequest:
    """Texts to give labels to; for a model of pairs, `seconds` has the other text of each."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    texts: list[str] = _described(examples=[["Tumours grow new vessels."]])
    seconds: list[str] | None = _described("for pairs: the other text of each")
    model: str | None = None

    def check(self, limits: Limits) -> None:
        """Raises Refused where it is more than the limits."""
        check_texts("texts", self.texts, limits)
        if self.seconds is not None:
            check_texts("seconds", self.seconds, limits)


@dataclass
class SimilarityRequest:
    """Pairs of texts: the first of each, and the second of each."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    texts: list[str] = _described(examples=[["Kras is mutated."]])
    seconds: list[str] = _described(examples=[["KRAS has mutations."]])
    model: str | None = None

    def check(self, limits: Limits) -> None:
        """Raises Refused where it is more than the limits."""
        check_texts("texts", self.texts, limits)
        check_texts("seconds", self.seconds, limits)


@dataclass
class EmbedRequest:
    """Texts to make vectors of."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    texts: list[str] = _described(examples=[["Aspirin relieves pain."]])
    pooling: Literal["mean", "cls"] = "mean"
    model: str | None = None

    def check(self, limits: Limits) -> None:
        """Raises Refused where it is more than the limits."""
        check_texts("texts", self.texts, limits)


def check_texts(name: str, texts: Sequence[str], limits: Limits) -> None:
    """Raises Refused where there are no texts, too many, or one is too long."""
    if not texts:
        raise Refused(422, f"{name}: found none; expected 1 to {limits.texts}")
    if len(texts) > limits.texts:
        raise Refused(413, f"{name}: found {len(texts)}; expected {limits.texts} at the most")
    for i, text in enumerate(texts):
        if len(text) > limits.text:
            raise Refused(
                413,
                f"{name}[{i}]: found {len(text):,} characters; expected {limits.text:,} at the "
                "most",
            )


@dataclass
class EntityOut:
    """`text[start:end]` in code points, not in UTF-16 units."""

    start: int
    end: int
    type: str
    text: str
    score: float  # 0-1
    model: str = ""


@dataclass
class PairOut:
    """A relation between two entities, which are numbers from 0."""

    first: int
    second: int
    label: str
    score: float
    model: str = ""


@dataclass
class DocumentOut:
    """A text and what was found in it."""

    id: str
    text: str
    entities: list[EntityOut]
    relations: list[PairOut] = field(default_factory=list)


@dataclass
class AnnotateResponse:
    documents: list[DocumentOut]


@dataclass
class RelationOut:
    label: str
    score: float
    probabilities: dict[str, float]


@dataclass
class RelationsResponse:
    relations: list[RelationOut]


@dataclass
class AnswerOut:
    """`contexts[passage][start:end] == text`; `yes` and `no` stand nowhere."""

    text: str
    score: float
    passage: int | None = None
    start: int | None = None
    end: int | None = None


@dataclass
class AnswerResponse:
    answers: list[AnswerOut]


@dataclass
class ClassifiedOut:
    """The most probable label alone; or, of a model of several labels, all that it gives."""

    labels: list[str]
    probabilities: dict[str, float]


@dataclass
class ClassifyResponse:
    texts: list[ClassifiedOut]


@dataclass
class SimilarityResponse:
    scores: list[float]


@dataclass
class EmbedResponse:
    vectors: list[list[float]]
    size: int


@dataclass
class ModelOut:
    name: str
    methods: list[str]
    types: list[str]


@dataclass
class ModelsResponse:
    models: list[ModelOut]
    limits: dict[str, float]


@dataclass
class ErrorOut:
    """Why a request was refused."""

    error: str
