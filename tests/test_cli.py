"""What the console script says of arguments; the commands are tested by room."""

import pytest

import biobert_jax
from biobert_jax import cli, errors


def refused(capsys, *arguments) -> str:
    """Parses arguments that must be refused, and returns the one line about it."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["biobert", "COMMAND"]),
        (["anotate"], ["'anotate'", "did you mean annotate?"]),
        (["\x1b[2J"], [r"there is no command '\x1b[2J'"]),
        (["xyz"], ["'xyz'", "annotate, answer"]),
        (["--verbos"], ["--verbos"]),
        (["corpus"], ["biobert corpus", "COMMAND"]),
        (["corpus", "bild"], ["'bild'", "did you mean build?"]),
        (["vocab", "trian", "--size", "3"], ["'trian'", "did you mean train?"]),
        (["annotate"], ["--model"]),
        (["annotate", "--modle", "a"], ["no option --modle; did you mean --model?"]),
        (["annotate", "--modle=a"], ["no option --modle; did you mean --model?"]),
        (["annotate", "--mod", "a"], ["no option --mod;"]),
        (["annotate", "--model"], ["--model"]),
        (["relations", "--model", "a", "--model", "b"], ["--model", "twice"]),
        (["annotate", "--model", "a", "--input", "b", "--input=c"], ["--input", "twice"]),
        (["annotate", "--model", "a", "b"], ["b"]),
        (["annotate", "--model", "a", "--format", "x\ny"], ["--format", "jsonl"]),
        (["annotate", "--model", "a", "--dtype", "int8"], ["--dtype", "bfloat16"]),
        (["answer", "--model", "a", "--top", "0"], ["--top", "whole number from 1"]),
        (["answer", "--model", "a", "--top", "many"], ["--top", "whole number from 1"]),
        (["embed", "--model", "a"], ["--input", "--output"]),
        (["embed", "--model", "a", "--input", "b", "--output", "c", "--pooling", "max"], ["mean"]),
        (["convert", "--from", "a"], ["--to"]),
        (["convert", "--from", "a", "--to", "b", "--format", "onnx"], ["huggingface"]),
        (["vocab", "train", "--input", "a", "--input", "b", "--output", "c"], ["twice"]),
        (["corpus", "stats"], ["DIR"]),
    ],
)
def test_arguments_are_refused_in_one_line(arguments, parts, capsys):
    line = refused(capsys, *arguments)
    assert line.startswith("error: biobert")
    for part in (*parts, "--help"):
        assert part in line


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert f"biobert_jax {biobert_jax.__version__} (Python " in capsys.readouterr().out


@pytest.mark.parametrize("where", [0, 1])
def test_debug_shows_tracebacks(where, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(errors.DEBUG, "0")
    arguments = ["annotate", "--model", str(tmp_path / "none")]
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments[:where], "--debug", *arguments[where:]])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("Traceback")
    monkeypatch.delenv(errors.DEBUG)


def test_what_passes_its_arguments_on_takes_any_option(monkeypatch):
    ran = []
    command = cli.Command(
        "invented", "", lambda p: p.add_argument("rest", nargs="..."), lambda a: ran.append(a.rest)
    )
    monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, command))
    cli.main(["invented", "ner", "--config=x", "--config.y", "1"])
    assert ran == [["ner", "--config=x", "--config.y", "1"]]
