"""A biomedical corpus that the project generates: no download, no licence, the truth known.

Sentences come from a grammar (`grammar`) over invented names (`lexicon`). Names
of devel and test are mostly new but built of the same parts as those of train, and the same strings
also occur where they are no entities (gene symbols as assay codes, drug names as companies, "cold"
as a temperature). So neither a list of names nor the shape of a word suffices; context must be
read.

What is generated is a function of the seed alone, the same on every machine and in every process.
"""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from biobert_jax.datasets.conll import Sentence
from biobert_jax.datasets.spans import Span, tags_of_spans
from biobert_jax.datasets.synthetic.grammar import CLAUSES, RULES, TITLES
from biobert_jax.datasets.synthetic.lexicon import (
    AMBIGUOUS,
    CHEMICAL,
    DISEASE,
    GENE,
    Lexicon,
    abbreviation,
    make_lexicon,
)
from biobert_jax.text.basic import basic_words

TYPES = (CHEMICAL, DISEASE, GENE)

_SLOT = re.compile(r"<(\w+)>")
_AMBIGUOUS_SHARE = 0.12  # of the mentions of chemicals and diseases
_ABBREVIATED_SHARE = 0.3  # of the mentions of diseases that have an abbreviation
_KINDS = ("treats", "causes", "", "", "")  # what the clauses state, as often as here
_TOPIC_SHARE = 0.7  # of the mentions of chemicals in a document
_FIRST_PMID = 90_000_001


class Mention(NamedTuple):
    """An entity in a sentence; `text[start:end]` is what it is called there."""

    start: int
    end: int
    type: str
    name: str  # what it is called in full


class Relation(NamedTuple):
    """What a sentence states about two of its mentions."""

    kind: str  # "treats" or "causes"
    chemical: int  # index of the mention
    disease: int


class AnnotatedSentence(NamedTuple):
    """A sentence with everything that is known about it.

    A pair of a chemical and a disease that no relation names is one that the sentence does not
    connect.
    """

    text: str
    mentions: tuple[Mention, ...]  # in the order of the text, none overlapping
    relations: tuple[Relation, ...]


class AnnotatedDocument(NamedTuple):
    """An abstract about one drug. What it states is true in all documents of the same seed."""

    pmid: str
    title: AnnotatedSentence
    sentences: tuple[AnnotatedSentence, ...]


def ner_splits(
    seed: int = 0, train: int = 1500, devel: int = 300, test: int = 500, unseen: float = 0.7
) -> dict[str, list[Sentence]]:
    """Generates an NER set with the types Chemical, Disease and Gene.

    Args:
      seed: of everything.
      train, devel, test: sentences.
      unseen: the share of devel's names, and of test's, that occur in no other split. About six
        tenths of test's mentions then are unseen: everyday words and abbreviations recur.

    Returns:
      IOB2 sentences of "train", "devel", "test" and "train_dev".
    """
    rng = random.Random(f"names {seed}")
    known = make_lexicon(rng, {CHEMICAL: 150, DISEASE: 150, GENE: 100})
    sizes = {CHEMICAL: 60, DISEASE: 60, GENE: 40}
    for_devel = make_lexicon(rng, sizes, known, unseen)
    taken = {name for names in for_devel.names.values() for name in names}
    for_test = make_lexicon(rng, sizes, known, unseen, taken)
    lexicons = {"train": (known, train), "devel": (for_devel, devel), "test": (for_test, test)}
    splits = {}
    for split, (lexicon, count) in lexicons.items():
        writer = _Writer(random.Random(f"{split} {seed}"), lexicon)
        splits[split] = []
        line = 1
        for _ in range(count):
            sentence = to_conll(writer.sentence(), line)
            splits[split].append(sentence)
            line += len(sentence.words) + 1
    return {**splits, "train_dev": splits["train"] + splits["devel"]}


def documents(seed: int = 0, count: int = 100) -> Iterator[AnnotatedDocument]:
    """Generates abstracts; the first ones do not depend on how many follow.

    Args:
      seed: of the names, of what is true of them, and of the sentences.
      count: how many.
    """
    sizes = {CHEMICAL: 200, DISEASE: 200, GENE: 150}
    lexicon = make_lexicon(random.Random(f"names {seed}"), sizes)
    for number in range(count):
        rng = random.Random(f"document {number} {seed}")
        writer = _Writer(rng, lexicon, topic=rng.choice(lexicon.names[CHEMICAL]))
        yield AnnotatedDocument(
            pmid=str(_FIRST_PMID + number),
            title=writer.title(),
            sentences=tuple(writer.sentence() for _ in range(rng.randint(4, 9))),
        )


def to_conll(sentence: AnnotatedSentence, line: int = 1) -> Sentence:
    """Cuts a sentence into the basic tokenizer's words and tags them."""
    words = basic_words(sentence.text, lowercase=False)
    starts = {word.starts[0]: i for i, word in enumerate(words)}
    ends = {word.ends[-1]: i for i, word in enumerate(words)}
    spans = [Span(starts[m.start], ends[m.end] + 1, m.type) for m in sentence.mentions]
    tags, _ = tags_of_spans(len(words), spans)
    return Sentence(tuple(word.text for word in words), tuple(tags), line)


class _Writer:
    """Writes sentences over a lexicon, most of them about one chemical where there is a topic."""

    def __init__(self, rng: random.Random, lexicon: Lexicon, topic: str | None = None):
        self._rng, self._lexicon, self._topic = rng, lexicon, topic
        short = filter(None, map(abbreviation, lexicon.names[DISEASE]))
        self._codes = sorted({*lexicon.names[GENE], *short})
        self._fillers = {
            "number": lambda: str(rng.randint(2, 95)),
            "digit": lambda: str(rng.randint(1, 9)),
            "code": lambda: rng.choice(self._codes),
            "brand": lambda: rng.choice(lexicon.names[CHEMICAL]).split()[0].capitalize(),
            "eponym": self._eponym,
        }

    def sentence(self) -> AnnotatedSentence:
        return self._write("<sentence>")

    def title(self) -> AnnotatedSentence:
        return self._write("<title>")

    def _write(self, rule: str) -> AnnotatedSentence:
        self._text, self._mentions, self._relations = "", [], []
        self._expand(rule)
        text = self._text[0].upper() + self._text[1:]
        return AnnotatedSentence(text, tuple(self._mentions), tuple(self._relations))

    def _expand(self, rule: str, names: dict[str, str] | None = None) -> None:
        """Appends what a rule becomes; `names` has what its first mention of a type is called."""
        names = dict(names or {})
        position = 0
        for slot in _SLOT.finditer(rule):
            self._text += rule[position : slot.start()]
            position = slot.end()
            symbol = slot[1]
            if symbol in TYPES:
                self._mention(symbol, names.pop(symbol, None) or self._name(symbol))
            elif symbol == "clause":
                self._clause(CLAUSES)
            elif symbol == "title":
                self._clause(TITLES)
            elif symbol in RULES:
                self._expand(self._rng.choice(RULES[symbol]))
            else:
                self._text += self._fillers[symbol]()
        self._text += rule[position:]

    def _clause(self, clauses: dict[str, tuple[str, ...]]) -> None:
        kind = self._rng.choice(_KINDS)
        before = len(self._mentions)
        names = {}
        if kind:
            chemical = self._name(CHEMICAL)
            diseases = self._lexicon.facts(kind)[chemical]
            names = {CHEMICAL: chemical, DISEASE: self._rng.choice(diseases)}
        self._expand(self._rng.choice(clauses[kind]), names)
        if kind:
            types = [mention.type for mention in self._mentions]
            chemical, disease = (types.index(type_, before) for type_ in (CHEMICAL, DISEASE))
            self._relations.append(Relation(kind, chemical, disease))

    def _name(self, type_: str) -> str:
        if type_ == CHEMICAL and self._topic and self._rng.random() < _TOPIC_SHARE:
            return self._topic
        if type_ in AMBIGUOUS and self._rng.random() < _AMBIGUOUS_SHARE:
            return self._rng.choice(AMBIGUOUS[type_])
        return self._rng.choice(self._lexicon.names[type_])

    def _mention(self, type_: str, name: str) -> None:
        """Appends a name, or its abbreviation, or one after the other."""
        short = abbreviation(name) if type_ == DISEASE else ""
        if not short or self._rng.random() >= _ABBREVIATED_SHARE:
            self._append(type_, name, name)
        elif self._rng.random() < 0.5:
            self._append(type_, name, name)
            self._text += " ("
            self._append(type_, short, name)
            self._text += ")"
        else:
            self._append(type_, short, name)

    def _append(self, type_: str, written: str, name: str) -> None:
        start = len(self._text)
        self._text += written
        self._mentions.append(Mention(start, len(self._text), type_, name))

    def _eponym(self) -> str:
        """Somebody after whom a disease is called, or anybody else."""
        named = [n.split()[0] for n in self._lexicon.names[DISEASE] if n[0].isupper()]
        return self._rng.choice(named or RULES["author"])
