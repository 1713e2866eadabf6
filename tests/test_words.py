"""Phrases that the field would not use stay out of code, configs and documentation."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PHRASES = {
    r"\b(?:is|are|was|were|been) told\b": "is logged, is reported, is given",
    r"\btold of\b": "reported, logged",
    r"\b(?:goes|go|went|going) on (?:at|with|on|from|where|after|to)\b": "resumes, continues",
    r"\bl(?:ie|ies|ay) whole\b": "is replicated",
    r"\bfor ever\b": "permanently",
    r"\bat hand\b": "available",
    r"\bpieces of which\b": "name the pieces",
    r"\bthe whole's\b": "name what it is of",
    r"\bhas more of\b": "is higher",
    r"\ba value a\b": "one value per",
    r"\b(?:one|object|sentence|token|passage) a (?:line|token|sentence|row)\b": "one per ...",
    r"\b(?:tokens|words|rows|bytes|positions|steps|records|trials|documents|sentences|seeds) a "
    r"(?:second|batch|row|core|line|set|step|file)\b": "per",
    r"\b(?:one|an?) (?:word|text|record|document|object|line|row|checksum|value) an? "
    r"(?:word|text|record|document|object|line|row|token|file|sentence|step)\b": "one per ...",
    r"\bworkdirs? of ours\b": "a workdir",
}


def test_the_fields_words_are_used():
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("biobert_jax", "configs", "experiments", "benchmarks", "docs"):
        files += [path for ending in ("py", "md") for path in (ROOT / folder).rglob(f"*.{ending}")]
    found = []
    for path in sorted(files):
        text = path.read_text(encoding="utf-8")
        for phrase, better in PHRASES.items():
            for match in re.finditer(phrase.replace(" ", r"\s+(?:#\s*)?"), text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(ROOT)}:{line}: {match[0]!r}; better: {better}")
    assert not found, "\n".join(found)
