"""Our BioASQ scores beside the official evaluator's rules, on the files that it would read.

`official` is what `EvaluatorTask1b -phaseB -e 5` computes (BioASQ/Evaluation-Measures: Task1bData,
ExactAnswer, QuestionAnswerEvaluator, EvaluatorTask1b), told again from its two files alone: it
shares no line with the package. Scores are compared as floats, without tolerance.

The last tests run the evaluator itself. They want `java` on the path and, in the environment
variable BIOASQ_EVALUATION_JAR, a class path with the evaluator, Gson and Commons CLI.
"""

import json
import os
import random
import shutil
import subprocess

import pytest

from biobert_jax.datasets.bioasq import read_official, write_submission
from biobert_jax.evaluation.qa import factoid_scores, list_scores, yesno_scores

MEASURES = {
    "yesno": ("accuracy", "macro_f1", "f1_yes", "f1_no"),
    "factoid": ("strict_accuracy", "lenient_accuracy", "mrr"),
    "list": ("precision", "recall", "f1"),
}
SCORES = {"yesno": yesno_scores, "factoid": factoid_scores, "list": list_scores}


def official(golden_file, submission_file):
    """The measures that the evaluator prints, as fractions, by type of question and name."""
    submitted = {}
    for question in read(submission_file):
        submitted.setdefault(question["id"], question)  # of two with an id it takes the first
    values = {type_: [] for type_ in MEASURES}
    for gold in read(golden_file):
        if gold["id"] in submitted and gold["type"] in values:
            answer = submitted[gold["id"]].get("exact_answer")
            values[gold["type"]].append(OF_TYPE[gold["type"]](gold["exact_answer"], answer))
    out = {}
    for type_ in ("factoid", "list"):
        rows, out[type_] = values[type_], {}
        for column, name in enumerate(MEASURES[type_]):
            out[type_][name] = added_up(row[column] for row in rows) / len(rows) if rows else 0.0
    said = values["yesno"]
    right = [is_right for _, is_right in said]
    out["yesno"] = {"accuracy": added_up(right) / len(said) if said else 0.0}
    for label in ("yes", "no"):
        hits = sum(is_right for gold, is_right in said if gold == label)
        misses = sum(not is_right for gold, is_right in said if gold == label)
        others = sum(not is_right for gold, is_right in said if gold != label)
        below = 2 * hits + misses + others
        out["yesno"][f"f1_{label}"] = 2 * hits / below if below else 0.0
    out["yesno"]["macro_f1"] = (out["yesno"]["f1_yes"] + out["yesno"]["f1_no"]) / 2
    return out


def read(path):
    return json.loads(path.read_text(encoding="ascii"))["questions"]


def added_up(values):
    total = 0.0
    for value in values:
        total += value
    return total


def factoid(gold, answer):
    right = [synonym.lower() for synonyms in gold for synonym in synonyms]
    for rank, entry in enumerate(answer, start=1):
        if [string for string in entry[:1] if string.lower() in right]:
            return float(rank == 1), 1.0, 1.0 / rank
    return 0.0, 0.0, 0.0


def list_(gold, answer):
    golden = [[synonym.lower() for synonym in synonyms] for synonyms in gold if synonyms]
    system = [[string.lower() for string in entry[:1]] for entry in answer]
    if not system:
        return 0.0, 0.0, 0.0
    found = 0
    for entry in list(system):  # a golden entry that is met is struck out
        met = [i for i, synonyms in enumerate(golden) if set(synonyms) & set(entry)]
        if met:
            found += 1
            golden.pop(met[0])
    missed, size = 0, len(system)
    for synonyms in golden:  # of those that are left; a system's entry that is met is struck out
        met = [i for i, entry in enumerate(system) if set(synonyms) & set(entry)]
        if met:
            system.pop(met[0])
        else:
            missed += 1
    precision = found / size
    recall = found / (found + missed) if found + missed else 0.0
    if not (precision and recall):
        return precision, recall, 0.0
    return precision, recall, 2 * precision * recall / (precision + recall)


def yesno(gold, answer):
    label = "yes" if "yes" in gold.lower() else "no"
    said = answer.lower()
    return label, ("yes" if "yes" in said else "no" if "no" in said else "none") == label


OF_TYPE = {"factoid": factoid, "list": list_, "yesno": yesno}


def ours(golden_file, type_, answers):
    """What results.json would have, over the questions of one type in a golden file."""
    gold = {q.id: q.exact_answer for q in read_official(golden_file) if q.type == type_}
    return SCORES[type_](gold, answers)


def check(golden_file, type_, answers, tmp_path):
    submission = tmp_path / "bioasq.json"
    write_submission(submission, type_, answers)
    expected = official(golden_file, submission)[type_]
    found = ours(golden_file, type_, answers)
    assert {name: found[name] for name in MEASURES[type_]} == {
        name: 100 * expected[name] for name in MEASURES[type_]
    }
    return found


def spoilt(rng, name):
    """A golden string, often written in another way that may or may not count as the same."""
    ways = (str, str.upper, str.lower, str.title, str.swapcase, lambda s: s + " ", lambda s: s[1:])
    return rng.choice(ways)(name)


def invent(rng, gold, others, most):
    """Up to `most` answers: golden synonyms, spoilt ones, those of other questions, repetitions."""
    names = [name for synonyms in gold for name in synonyms]
    answers = []
    for _ in range(rng.randint(0, most)):
        source = rng.choice((names, names, others, answers or others))
        answers.append(spoilt(rng, rng.choice(source)) if rng.random() < 0.95 else "")
    return answers


@pytest.mark.parametrize("seed", range(3))
def test_random_submissions_score_as_officially_on_all_golden_files(shared_data, tmp_path, seed):
    rng = random.Random(seed)
    seen = {type_: set() for type_ in MEASURES}
    files = sorted((shared_data / "QA" / "BioASQ").glob("*_golden.json"))
    assert len(files) == 16
    for path in files:
        questions = read_official(path)
        for type_, most in (("factoid", 5), ("list", 15)):
            gold = {q.id: q.exact_answer for q in questions if q.type == type_}
            others = [name for entries in gold.values() for entry in entries for name in entry]
            answers = {id_: invent(rng, its, others, most) for id_, its in gold.items()}
            seen[type_].add(check(path, type_, answers, tmp_path)[MEASURES[type_][-1]])
        ids = [q.id for q in questions if q.type == "yesno"]
        answers = {id_: rng.choice(("yes", "no")) for id_ in ids}
        seen["yesno"].add(check(path, "yesno", answers, tmp_path)["macro_f1"])
    # Neither all right nor all wrong: the comparison had something to compare.
    for values in seen.values():
        assert len(values) > 10
        assert 0 < sum(values) / len(values) < 100


def golden(tmp_path, type_, *exact_answers):
    """A golden file with one question for each exact answer; returns it and the questions' ids."""
    ids = [f"{number:024d}" for number in range(len(exact_answers))]
    questions = [
        {"id": id_, "type": type_, "body": "Which?", "exact_answer": exact, "snippets": []}
        for id_, exact in zip(ids, exact_answers, strict=True)
    ]
    path = tmp_path / "1B1_golden.json"
    path.write_text(json.dumps({"questions": questions}), encoding="ascii")
    return path, ids


AWKWARD = [
    [],
    [""],
    ["", "Alpha"],
    ["alpha ", " alpha"],
    ["x", "x", "ALPHA", "alpha"],
    ["1", "2", "3", "4", "5", "alpha"],  # a sixth answer counts: nothing cuts the list there
    ["straße", "STRASSE"],
    ["ΑΣ", "ας", "ασ"],  # a final sigma is lower-cased by its place, in both languages
    ["İ", "i̇", "i"],
    ["β-catenin", "Β-CATENIN"],
]
GOLD = [
    [["Alpha", "A1"]],
    [["alpha"], ["beta", "ALPHA"]],  # entries that share a synonym
    [["alpha"], ["alpha"]],
    [["x", "alpha"], ["straße"], ["ας"]],
    [["i̇"], ["β-Catenin"], [""]],
    [],
    [[]],
    [["alpha"], []],  # the reader skips an entry without any name
]


@pytest.mark.parametrize("type_", ["factoid", "list"])
def test_awkward_answers_score_as_officially(tmp_path, type_):
    for answers in AWKWARD:
        path, ids = golden(tmp_path, type_, *GOLD)
        check(path, type_, dict.fromkeys(ids, answers), tmp_path)
        for gold in GOLD:
            path, ids = golden(tmp_path, type_, gold)
            check(path, type_, {ids[0]: answers}, tmp_path)


@pytest.mark.parametrize("gold", [["yes", "yes"], ["no", "no"], ["Yes", "no", "No"], ["yes"]])
@pytest.mark.parametrize("said", ["yes", "no", "Yes.", "none", "NOT yesterday", "unknown", "?", ""])
def test_yes_and_no_score_as_officially_where_one_is_missing(tmp_path, gold, said):
    path, ids = golden(tmp_path, "yesno", *gold)
    check(path, "yesno", dict.fromkeys(ids, said), tmp_path)


def test_questions_of_other_batches_in_the_file_change_nothing(tmp_path):
    path, (id_,) = golden(tmp_path, "factoid", [["alpha"]])
    answers = {id_: ["x", "alpha"], "z" * 24: ["x"]}
    submission = tmp_path / "bioasq.json"
    write_submission(submission, "factoid", answers)
    assert official(path, submission)["factoid"]["mrr"] == 0.5
    assert ours(path, "factoid", answers)["mrr"] == 50


def test_a_question_that_is_not_mentioned_is_wrong_for_us_and_nothing_for_them(tmp_path):
    path, (first, _) = golden(tmp_path, "factoid", [["alpha"]], [["beta"]])
    submission = tmp_path / "bioasq.json"
    write_submission(submission, "factoid", {first: ["alpha"]})
    assert official(path, submission)["factoid"]["strict_accuracy"] == 1
    assert ours(path, "factoid", {first: ["alpha"]})["strict_accuracy"] == 50


@pytest.mark.parametrize(
    ("type_", "answer", "exact_answer"),
    [
        ("factoid", ["β-catenin", "x"], [["β-catenin"], ["x"]]),
        ("list", ["a"], [["a"]]),
        ("list", [], []),
        ("yesno", "no", "no"),
    ],
)
def test_the_submission_has_the_fields_and_nesting_that_are_read(
    tmp_path, type_, answer, exact_answer
):
    path = tmp_path / "deep" / "bioasq.json"
    write_submission(path, type_, {"q": answer})
    (question,) = read(path)  # ASCII: the evaluator reads in the encoding of its machine
    assert question == {
        "id": "q",
        "type": type_,
        "ideal_answer": "",
        "exact_answer": exact_answer,
    }


PRINTED = (
    *(("yesno", "accuracy"), ("factoid", "strict_accuracy"), ("factoid", "lenient_accuracy")),
    *(("factoid", "mrr"), ("list", "precision"), ("list", "recall"), ("list", "f1")),
    *(("yesno", "macro_f1"), ("yesno", "f1_yes"), ("yesno", "f1_no")),
)


@pytest.fixture
def evaluator():
    """Runs the evaluator; returns what it prints first, its ten measures as fractions."""
    class_path, java = os.environ.get("BIOASQ_EVALUATION_JAR"), shutil.which("java")
    if not class_path:
        pytest.skip("BIOASQ_EVALUATION_JAR is not set: a class path of the official evaluator")
    if not java:
        pytest.skip("there is no java on the path to run the official evaluator with")

    def run(golden_file, submission_file):
        # Lower case depends on the language: in Turkish, I becomes another letter than i.
        command = [java, "-Duser.language=en", "-cp", class_path, "evaluation.EvaluatorTask1b"]
        command += ["-phaseB", "-e", "5", golden_file, submission_file]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [float(number) for number in done.stdout.split()[: len(PRINTED)]]

    return run


def check_printed(evaluator, golden_file, answers, tmp_path):
    """Compares all measures of one submission with answers of all types; returns them."""
    questions = []
    for type_, its in answers.items():
        write_submission(tmp_path / "one.json", type_, its)
        questions += read(tmp_path / "one.json")
    # With -e 5 the evaluator's later versions fail where a question is not mentioned.
    submission = tmp_path / "bioasq.json"
    submission.write_text(json.dumps({"questions": questions}), encoding="ascii")
    found = {type_: ours(golden_file, type_, answers.get(type_, {})) for type_ in MEASURES}
    printed = evaluator(golden_file, submission)
    assert [found[type_][name] for type_, name in PRINTED] == [100 * number for number in printed]
    told = official(golden_file, submission)
    assert [told[type_][name] for type_, name in PRINTED] == printed
    return printed


def test_the_evaluator_prints_our_scores_of_random_submissions(evaluator, shared_data, tmp_path):
    rng = random.Random(0)
    seen = []
    for path in sorted((shared_data / "QA" / "BioASQ").glob("*_golden.json")):
        gold = {type_: {} for type_ in MEASURES}
        for question in read_official(path):
            gold.get(question.type, {})[question.id] = question.exact_answer
        answers = {"yesno": {id_: rng.choice(("yes", "no", "none", "?")) for id_ in gold["yesno"]}}
        for type_, most in (("factoid", 5), ("list", 15)):
            others = [name for its in gold[type_].values() for entry in its for name in entry]
            answers[type_] = {q: invent(rng, its, others, most) for q, its in gold[type_].items()}
        seen += check_printed(evaluator, path, answers, tmp_path)
    assert len({number for number in seen if 0 < number < 1}) > 50


@pytest.mark.parametrize("answers", AWKWARD)
@pytest.mark.parametrize("type_", ["factoid", "list"])
def test_the_evaluator_prints_our_scores_of_awkward_answers(evaluator, tmp_path, type_, answers):
    path, ids = golden(tmp_path, type_, *GOLD)
    check_printed(evaluator, path, {type_: dict.fromkeys(ids, answers)}, tmp_path)


@pytest.mark.parametrize("said", ["yes", "NO", "none", "unknown", "?", ""])
def test_the_evaluator_prints_our_scores_of_yes_and_no(evaluator, tmp_path, said):
    path, ids = golden(tmp_path, "yesno", "yes", "no", "Yes", "yes")
    check_printed(evaluator, path, {"yesno": dict.fromkeys(ids, said)}, tmp_path)
