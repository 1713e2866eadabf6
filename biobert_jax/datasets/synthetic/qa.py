"""Questions about the generated corpus, in the forms of SQuAD and BioASQ."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from biobert_jax.datasets.bioasq import BioasqQuestion, to_passages
from biobert_jax.datasets.squad import Answer, Question
from biobert_jax.datasets.synthetic.corpus import AnnotatedDocument, AnnotatedSentence, documents
from biobert_jax.datasets.synthetic.lexicon import CHEMICAL, DISEASE

_ASKED = {
    "treats": "Which disease is {} effective against?",
    "causes": "Which disease is caused by {}?",
}
_ASKED_FOR_ALL = {
    "treats": "List the diseases that {} is effective against.",
    "causes": "List the diseases that are caused by {}.",
}
_ASKED_IF = {"treats": "Is {} effective against {}?", "causes": "Can {} cause {}?"}


class _Fact(NamedTuple):
    """What one sentence of the corpus states; `names` are what the disease is called there."""

    kind: str
    chemical: str
    disease: str
    names: tuple[str, ...]
    sentence: AnnotatedSentence


Splits = dict[str, list[Question]]
Gold = dict[str, dict[str, Mapping[str, tuple[tuple[str, ...], ...] | str]]]


def qa_splits(kind: str, seed: int = 0) -> tuple[Splits, Gold]:
    """Generates `train`, `validation` and `test` of some hundred pairs of question and passage.

    Args:
      kind: `span`: one answer in a whole abstract; `factoid`, `list`, `yesno`: as BioASQ asks, with
        the sentences that hold the answer as snippets.
      seed: of the corpus.

    Returns:
      The questions of each split, and the exact answers, which `span` has none of, as
      `datasets.qa.QaSplits` holds both.
    """
    corpus = list(documents(seed, 240))
    parts = {"train": corpus[:160], "validation": corpus[160:200], "test": corpus[200:]}
    if kind == "span":
        return {split: list(_spans(part)) for split, part in parts.items()}, {}
    asked = {split: list(_official(part, kind, split)) for split, part in parts.items()}
    made = {
        split: to_passages(questions, training=split == "train" and kind != "yesno")
        for split, questions in asked.items()
    }
    gold: Gold = {
        split: {
            "synthetic": {q.id: q.exact_answer for q in questions if q.exact_answer is not None}
        }
        for split, questions in asked.items()
    }
    return {split: passages.questions for split, passages in made.items()}, gold


def _spans(corpus: list[AnnotatedDocument]) -> Iterator[Question]:
    for document in corpus:
        context, start = _whole(document), 0
        for sentence in (document.title, *document.sentences):
            for number, relation in enumerate(sentence.relations):
                mention = sentence.mentions[relation.disease]
                answer = Answer(start + mention.start, _text(sentence, relation.disease))
                chemical = sentence.mentions[relation.chemical].name
                yield Question(
                    f"{document.pmid}-{start}-{number}",
                    _ASKED[relation.kind].format(chemical),
                    context,
                    (answer,),
                    document.pmid,
                )
            start += len(sentence.text) + 1


def _whole(document: AnnotatedDocument) -> str:
    return " ".join(sentence.text for sentence in (document.title, *document.sentences))


def _official(corpus: list[AnnotatedDocument], kind: str, split: str) -> Iterator[BioasqQuestion]:
    facts = list(_facts(corpus))
    if kind == "yesno":
        yield from _yes_or_no(corpus, facts, split)
        return
    by_subject: dict[tuple[str, str], list[_Fact]] = {}
    for fact in facts:
        by_subject.setdefault((fact.kind, fact.chemical), []).append(fact)
    for (relation, chemical), about in by_subject.items():
        names: dict[str, dict[str, None]] = {}
        for fact in about:
            names.setdefault(fact.disease, {}).update(dict.fromkeys(fact.names))
        text = (_ASKED if kind == "factoid" else _ASKED_FOR_ALL)[relation].format(chemical)
        snippets = dict.fromkeys(fact.sentence.text for fact in about)
        exact = tuple(tuple(of_disease) for of_disease in names.values())
        yield BioasqQuestion(_id(split, text), text, kind, exact, tuple(snippets))


def _yes_or_no(
    corpus: list[AnnotatedDocument], facts: list[_Fact], split: str
) -> Iterator[BioasqQuestion]:
    asked: dict[str, BioasqQuestion] = {}
    for fact in facts:
        text = _ASKED_IF[fact.kind].format(fact.chemical, fact.disease)
        _ask(asked, split, text, "yes", fact.sentence)
    for document in corpus:
        for sentence in document.sentences:
            named = {mention.type: mention.name for mention in sentence.mentions}
            if sentence.relations or not {CHEMICAL, DISEASE} <= named.keys():
                continue
            form = _ASKED_IF["treats" if len(asked) % 2 else "causes"]
            _ask(asked, split, form.format(named[CHEMICAL], named[DISEASE]), "no", sentence)
    yield from asked.values()


def _ask(
    asked: dict[str, BioasqQuestion], split: str, text: str, answer: str, source: AnnotatedSentence
) -> None:
    """Adds a question, or a snippet to one; a "no" gives way to what another sentence states."""
    id_ = _id(split, text)
    before = asked.setdefault(id_, BioasqQuestion(id_, text, "yesno", answer, ()))
    if before.exact_answer == answer and source.text not in before.snippets:
        asked[id_] = before._replace(snippets=(*before.snippets, source.text))


def _facts(corpus: list[AnnotatedDocument]) -> Iterator[_Fact]:
    for document in corpus:
        for sentence in (document.title, *document.sentences):
            for relation in sentence.relations:
                disease = sentence.mentions[relation.disease].name
                names = dict.fromkeys(
                    _text(sentence, i) for i, m in enumerate(sentence.mentions) if m.name == disease
                )
                chemical = sentence.mentions[relation.chemical].name
                yield _Fact(relation.kind, chemical, disease, tuple(names), sentence)


def _text(sentence: AnnotatedSentence, mention: int) -> str:
    """As it is written; a mention that begins the sentence has a capital there."""
    return sentence.text[sentence.mentions[mention].start : sentence.mentions[mention].end]


def _id(split: str, text: str) -> str:
    return hashlib.sha256(f"{split} {re.sub(r'[^a-z]', '', text.lower())}".encode()).hexdigest()[
        :24
    ]
