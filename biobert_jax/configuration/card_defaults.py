"""Defaults of what a checkpoint's card keeps: how texts become sequences and answers.

A config starts from these, and so does a model without a card (a converted one). `tasks/` says
what the fields mean. The values are those of run_ner.py, run_re.py and run_qa.py.
"""

from typing import Any

NER_WINDOWS: dict[str, Any] = {
    "max_length": 128,  # pieces of a sequence, [CLS] and [SEP] included
    "overlap": 32,  # pieces that windows of a long sentence share
    "truncate": False,  # True: cut long sentences instead, as run_ner.py does
}
RELATION_WINDOWS: dict[str, Any] = {
    "max_length": 128,  # pieces of a sequence, [CLS] and [SEP] included
    "around_marks": True,  # False: long sentences lose their end, as in run_re.py
}
TEXT_WINDOWS: dict[str, Any] = {
    "max_length": 512,  # pieces of a sequence, [CLS] and one or two [SEP] included
}
QA_WINDOWS: dict[str, Any] = {
    "max_length": 384,  # pieces of a sequence, [CLS] and two [SEP] included
    "stride": 128,  # pieces from the start of a window to that of the next
    "max_question": 64,  # pieces of a question that are kept
}
QA_DECODING: dict[str, Any] = {
    "n_best": 20,
    "max_answer": 30,  # pieces
    "top": 5,  # answers to a factoid question
    "threshold": 0.1,  # list questions: where validation has not found a better one
}
