"""Counts and the two policies for what cannot be read."""

import json

import pytest

from biobert_jax.corpora.readers.documents import (
    ReadStatistics,
    Rejected,
    raise_rejected,
    rejected_to,
)
from biobert_jax.errors import DataError


def test_statistics_add_up():
    total = ReadStatistics(files=1, documents=2)
    total.add(ReadStatistics(files=3, rejected=4))
    assert total == ReadStatistics(files=4, documents=2, rejected=4)
    assert total.as_dict()["rejected"] == 4


def test_raising_names_place_and_remedy():
    with pytest.raises(DataError, match=r"^a\.xml: line 3: broken \(or read with on-error skip"):
        raise_rejected(Rejected("a.xml", "line 3", "broken"))


def test_rejections_are_appended_as_json_lines(tmp_path):
    path = tmp_path / "rejected.jsonl"
    first, second = Rejected("a.xml", "line 3", "größer"), Rejected("b.tar", "", "cut")
    for rejected in (first, second):
        with rejected_to(path) as on_error:
            on_error(rejected)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [Rejected(**json.loads(line)) for line in lines] == [first, second]
