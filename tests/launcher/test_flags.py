"""Mistakes on the command line of an experiment: one line each, before JAX is imported."""

import sys

import pytest
from absl import flags as absl_flags

from biobert_jax.arguments import expand_option
from biobert_jax.launcher import demo, flags
from biobert_jax.launcher.checks import warn_of_unused_gpu

NER = "--config=ncbi_disease"
RUN = "--workdir=x"


def declared(monkeypatch, *given: str):
    """The arguments of a program, and flags of its own."""
    argv = ["program", *given]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(absl_flags, "FLAGS", absl_flags.FlagValues())
    monkeypatch.setattr(flags.flags, "FLAGS", absl_flags.FLAGS)
    values = absl_flags.FLAGS
    flags.config_flags.DEFINE_config_file("config", None, "", flag_values=values)
    absl_flags.DEFINE_string("workdir", None, "", flag_values=values)
    return argv, values


@pytest.fixture
def parse(monkeypatch, capsys):
    """Returns a function that parses flags of a NER command and returns the error message."""

    def parsed(*given: str) -> str:
        argv, _ = declared(monkeypatch, *given)
        with pytest.raises(SystemExit) as raised:
            flags.parser("ner")(argv)
        assert raised.value.code == 1
        [line] = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("error: ")
        return line

    return parsed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([RUN], "--config is missing; expected a file or one of bc2gm"),
        ([NER], "--workdir is missing"),
        (["--config=ncbi_disase", RUN], "did you mean ncbi_disease?"),
        (["--config", "ncbi_disase", RUN], "did you mean ncbi_disease?"),
        (["--config=absent.py", RUN], "--config=absent.py: no such file"),
        ([f"{NER}:nonsense", RUN], "variant 'nonsense'"),
        ([NER, RUN, "--wrokdir=y"], "there is no flag --wrokdir; did you mean workdir?"),
        ([NER, RUN, "--config.train.epoch=3"], "did you mean train.epochs?"),
        ([NER, RUN, "--config.foo=3"], "--config.foo: no such setting"),
        ([NER, RUN, "--config.train.epochs=many"], "many"),
    ],
)
def test_a_mistake_is_one_line(parse, given, expected):
    assert expected in parse(*given)


def test_home_is_expanded_in_all_settings(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    given = ["--workdir=~/x", "--config.init=~/m@5", "--config.dataset.path=~", "--config.vocab=a~"]
    argv, values = declared(monkeypatch, NER, *given)
    flags.parser("ner")(argv)
    config = values.config
    found = (values.workdir, config.init, config.dataset.path, config.vocab)
    assert found == ("/home/ada/x", "/home/ada/m@5", "/home/ada", "a~")
    assert config.search_space[0] == ("batch.sequences", (16, 32, 64))


def test_home_is_expanded_for_commands(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    given = ["--model=~/m", "--model", "~", "--split=a=~", "~/x", "-"]
    assert [expand_option(one) for one in given] == ["--model=/home/ada/m", *given[1:]]


def test_the_demo_makes_a_folder_only_where_none_is_named(monkeypatch):
    made = []
    monkeypatch.setattr(demo, "use_huge_pages", lambda: None)
    monkeypatch.setattr(demo.tempfile, "mkdtemp", lambda prefix: made.append(prefix) or "folder")
    monkeypatch.setattr(demo, "launch_program", lambda program: None)
    for given, folders in ((["--workdir=x"], 0), (["-workdir", "x"], 0), ([], 1)):
        monkeypatch.setattr(sys, "argv", ["demo", *given])
        demo.launch()
        assert len(made) == folders
        assert ("--workdir=folder" in sys.argv) == bool(folders)


def test_a_gpu_that_jax_does_not_see_is_reported(tmp_path, caplog):
    warn_of_unused_gpu("cpu", tmp_path)
    assert not caplog.messages
    (tmp_path / "nvidia0").touch()
    warn_of_unused_gpu("cuda", tmp_path)
    assert not caplog.messages
    warn_of_unused_gpu("cpu", tmp_path)
    [message] = caplog.messages
    assert "biobert_jax[cuda12]" in message
    assert "biobert_jax[cuda13]" in message
