"""DDI: interactions of drugs (SemEval-2013 task 9) from its official XML, in BLURB's form.

Every `<pair>` of a sentence is an example, with its two drugs as `@DRUG$`, or `@DRUG-DRUG$` where
they overlap; all other drugs stay as they are written. Training and validation are the corpus's
`Train`, test is its `Test for DDI Extraction task`. BLURB takes 90 of the training files for
validation and publishes their names: `dev_files.tsv` beside the corpus, or in a folder `blurb`
there. Then there are 25,296, 2,496 and 5,716 pairs. Without that file 90 others are drawn.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lxml import etree

from biobert_jax.datasets.archive import read_all_members
from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.datasets.subsets import drawn
from biobert_jax.errors import DataError, at
from biobert_jax.files import read_text
from biobert_jax.text.entity_marking import METHODS, Entity

ARCHIVE = "DDICorpus-2013.zip"
FOLDER = "DDICorpus"
LIST = "dev_files.tsv"
DEVELOPMENT_FILES = 90  # as many as BLURB has
UNTYPED = "int"  # the guidelines' type of an interaction of which nothing more is said

_TRAIN, _TEST = "/Train/", "/Test for DDI Extraction task/"
_OFFSETS = re.compile(r"\d{1,7}-\d{1,7}(?:;\d{1,7}-\d{1,7})*")
_BLANKS = str.maketrans(dict.fromkeys("\t\n\r\x0b\x0c\x85\u2028\u2029", " "))

logger = logging.getLogger(__name__)

Splits = dict[str, list[RelationExample]]


def find_ddi(path: Path) -> Path | None:
    """The corpus at a path: the zip, the folder it unpacks to, or a folder with one of them."""
    if path.is_file():
        return path if path.suffix == ".zip" else None
    for candidate in (path / ARCHIVE, path / FOLDER, path):
        if candidate.is_file() or (candidate / "Train").is_dir():
            return candidate
    return None


def read_ddi(path: Path, marking: str = "anonymise") -> Splits:
    """Reads the corpus.

    Args:
      path: as `find_ddi` gives it.
      marking: `anonymise` or `wrap`.

    Raises:
      DataError: a file is missing, damaged or not of this form; names the file and the pair.
    """
    files: dict[str, dict[str, list[RelationExample]]] = {"train": {}, "test": {}}
    untyped = 0
    for where, data in read_all_members(path, ".xml"):
        inside = "/" + where.replace("\\", "/").replace("!", "/")
        split = "train" if _TRAIN in inside else "test" if _TEST in inside else ""
        if split:
            examples = list(_examples(data, where, marking))
            untyped += sum(example.label.endswith("?") for example in examples)
            files[split][_name(inside)] = [
                e._replace(label=f"DDI-{UNTYPED}") if e.label.endswith("?") else e for e in examples
            ]
    for split, of_split in files.items():
        if not any(of_split.values()):
            raise DataError(
                f"{at(path)}: found no pairs of the {split} files; expected {ARCHIVE} of "
                "https://github.com/isegura/DDICorpus, whose folder DDICorpus has Train and Test"
            )
    if untyped:
        logger.warning("DDI: %d pairs interact without a type; they count as %s", untyped, UNTYPED)
    development = _development(path, sorted(files["train"]))
    joined = lambda names: [e for name in names for e in files["train"][name]]
    splits = {
        "train": joined(name for name in sorted(files["train"]) if name not in development),
        "validation": joined(development),
        "test": [e for name in sorted(files["test"]) for e in files["test"][name]],
    }
    counts = ", ".join(f"{split} {len(examples):,}" for split, examples in splits.items())
    logger.info("DDI: %s pairs", counts)
    return splits


def _development(path: Path, names: Sequence[str]) -> list[str]:
    """The training files that validate: BLURB's where its list is there."""
    for folder in (path.parent, path.parent / "blurb", path, path / "blurb"):
        file = folder / LIST
        if not file.is_file():
            continue
        asked = [_name("/" + line.strip()) for line in read_text(file).split("\n") if line.strip()]
        known = set(names)
        missing = [name for name in asked if name not in known]
        if missing:
            raise DataError(
                f"{at(file)}: names {missing[0]!r:.80}, which is no training file of {path}; "
                "expected lines such as train_dataset/DrugBank/Nicardipine_ddi.xml"
            )
        return asked
    count = min(DEVELOPMENT_FILES, len(names) // 2)
    logger.warning(
        "DDI: found no %s beside the corpus; %d files drawn at random validate. BLURB's are in "
        "its data_generation (indexing/DDI)",
        LIST,
        count,
    )
    return drawn(names, count)


def _name(path: str) -> str:
    """DrugBank or MedLine, and the file: what names it in the corpus and in BLURB's lists."""
    return "/".join(PurePosixPath(path).parts[-2:])


def _examples(data: bytes, where: str, marking: str) -> Iterator[RelationExample]:
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        document = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(
            f"{at(where)}: is no XML ({error}); damaged? Copy the corpus again"
        ) from error
    for sentence in document.iter("sentence"):
        # Offsets stay right: each kind of blank becomes one blank.
        text = (sentence.get("text") or "").translate(_BLANKS)
        spans = {e.get("id"): _span(e, where) for e in sentence.iter("entity")}
        for pair in sentence.iter("pair"):
            id_ = pair.get("id") or ""
            try:
                first, second = (Entity(*spans[pair.get(side)], "DRUG") for side in ("e1", "e2"))
                marked = METHODS[marking](text, first, second)
            except KeyError as error:
                raise DataError(
                    f"{at(where)}: pair {id_!r:.60} names the entity {error}, which its sentence "
                    "does not have. Copy the corpus again"
                ) from error
            except DataError as error:
                raise DataError(f"{at(where)}: pair {id_!r:.60}: {error}") from error
            label = _label(pair, at(where))
            yield RelationExample(id_, marked.text, label, marked.marks, f"{at(where)}: {id_}")


def _label(pair: Any, where: str) -> str:
    interacts = pair.get("ddi")
    if interacts not in ("true", "false"):
        raise DataError(
            f"{where}: pair {pair.get('id')!r:.60} has ddi={interacts!r:.20}; expected true or "
            "false"
        )
    return f"DDI-{pair.get('type') or '?'}" if interacts == "true" else "false"


def _span(entity: Any, where: str) -> tuple[int, int]:
    """[start, end) from the first to the last of its parts; the corpus counts the end in."""
    offsets = entity.get("charOffset") or ""
    if not _OFFSETS.fullmatch(offsets):
        raise DataError(
            f"{at(where)}: entity {entity.get('id')!r:.60} is at {offsets!r:.40}; "
            "expected offsets such as 91-98"
        )
    return int(offsets.partition("-")[0]), int(offsets.rpartition("-")[2]) + 1
