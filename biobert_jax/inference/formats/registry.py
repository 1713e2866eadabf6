"""The forms in which annotated text is written to one file."""

from collections.abc import Callable, Iterable, Iterator

from biobert_jax.inference.formats.bioc import write_bioc, write_bioc_json
from biobert_jax.inference.formats.brat import write_brat
from biobert_jax.inference.formats.conll import write_conll
from biobert_jax.inference.formats.document import Document
from biobert_jax.inference.formats.html import write_html
from biobert_jax.inference.formats.json_lines import write_jsonl
from biobert_jax.inference.formats.pubtator import write_pubtator

Writer = Callable[[Iterable[Document]], Iterator[str]]
FORMATS: dict[str, Writer] = {
    "jsonl": write_jsonl,
    "conll": write_conll,
    "brat": write_brat,
    "pubtator": write_pubtator,
    "bioc": write_bioc,
    "bioc-json": write_bioc_json,
    "html": write_html,
}
