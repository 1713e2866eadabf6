import json
import shutil
import subprocess
from importlib import metadata

import pytest

from biobert_jax import cli
from biobert_jax.errors import DataError
from biobert_jax.files import read_text
from biobert_jax.launcher import doctor


def run(capsys, *arguments):
    status = 0
    try:
        cli.main(["doctor", *arguments])
    except SystemExit as ended:
        status = ended.code
    return status, capsys.readouterr().out


def findings(out):
    return {one["what"]: one for one in map(json.loads, out.splitlines())}


@pytest.mark.slow
def test_a_sound_machine(capsys):
    status, out = run(capsys, "--json")
    found = findings(out)
    assert [one for one in found.values() if one["state"] == doctor.WRONG] == []
    assert status == 0
    assert found["self-test"]["state"] == doctor.FINE
    assert {"Python", "packages", "devices", "cores", "disk"} <= found.keys()


def test_packages_that_are_missing_or_old(capsys, monkeypatch):
    asked = [
        "jax>=999.0",
        "numpy>=1.0",
        "no-such-package>=1",
        'fastapi>=0.1; extra == "serve"',
        'nothing-of-this-name>=2; extra == "export"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: asked)
    monkeypatch.setattr(metadata, "version", lambda name: _version(name))
    status, out = run(capsys, "--json", "--no-test")
    found = findings(out)
    assert status == 1
    assert f"jax is {_version('jax')}; expected 999.0 or later" in found["packages"]["found"]
    assert "no-such-package is not installed" in found["packages"]["found"]
    assert "numpy" not in found["packages"]["found"]
    assert found["models as StableHLO"] == {
        "state": doctor.NOTE,
        "what": "models as StableHLO",
        "found": "without nothing-of-this-name",
        "mend": "pip install 'biobert_jax[export]'",
    }


def _version(name):
    if name in ("no-such-package", "nothing-of-this-name"):
        raise metadata.PackageNotFoundError(name)
    return "1.26.0"


def test_an_accelerator_that_jax_does_not_see(capsys, monkeypatch):
    monkeypatch.setattr(
        doctor, "Path", lambda path: type("P", (), {"exists": lambda self: "nvidia" in path})()
    )
    monkeypatch.setenv("JAX_PLATFORMS", "")
    *_, last = doctor.devices()
    assert (last.state, last.what) == (doctor.WRONG, "accelerator")
    assert "biobert_jax[cuda13]" in last.mend


def test_a_look_that_fails_does_not_end_the_others(capsys, monkeypatch):
    def broken():
        raise RuntimeError("no backend")

    monkeypatch.setattr(doctor, "devices", broken)
    broken.__name__ = "devices"
    status, out = run(capsys, "--json", "--no-test")
    assert status == 1
    assert findings(out)["devices"]["found"] == "RuntimeError: no backend"
    assert "cores" in findings(out)


class TestCompletion:
    @pytest.fixture
    def script(self, capsys):
        pytest.importorskip("shtab", reason="shtab is not installed")

        def make(shell):
            cli.main(["completion", shell])
            return capsys.readouterr().out

        return make

    @pytest.mark.parametrize(
        ("typed", "offered", "not_offered"),
        [
            (["biobert", "ann"], "annotate", "train"),
            (["biobert", "corpus", "b"], "build", "stats"),
            (["biobert", "annotate", "--for"], "--format", "--model"),
            (["biobert", "annotate", "--format", "bra"], "brat", "bioc"),
            (["biobert", "annotate", "--input", "abs"], "abstracts.txt", "other.txt"),
        ],
    )
    def test_bash(self, script, tmp_path, typed, offered, not_offered):
        if shutil.which("bash") is None:
            pytest.skip("no bash")
        (tmp_path / "abstracts.txt").touch()
        (tmp_path / "other.txt").touch()
        (tmp_path / "biobert.sh").write_text(script("bash"))
        words = " ".join(f"'{word}'" for word in typed)
        program = f"""
            source ./biobert.sh
            COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}
            _shtab_biobert biobert '{typed[-1]}' '{typed[-2]}'
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert offered in done.stdout.split(), done.stderr
        assert not_offered not in done.stdout.split()

    def test_zsh(self, script, tmp_path):
        text = script("zsh")
        assert text.startswith("#compdef biobert")
        if shutil.which("zsh"):
            (tmp_path / "_biobert").write_text(text)
            subprocess.run(["zsh", "-n", tmp_path / "_biobert"], check=True)


class TestSimilarPaths:
    def test_the_first_part_that_is_missing(self, tmp_path):
        (tmp_path / "runs/ncbi_disease").mkdir(parents=True)
        (tmp_path / "runs/ncbi_disease/results.json").write_text("{}")
        with pytest.raises(DataError) as error:
            read_text(tmp_path / "runs/ncbi_diseas/results.json")
        meant = tmp_path / "runs/ncbi_disease/results.json"
        assert str(error.value).endswith(f"Did you mean {meant}?")

    def test_nothing_is_made_up(self, tmp_path):
        (tmp_path / "runs").mkdir()
        for path in ("quite/other", "run/ncbi"):
            with pytest.raises(DataError) as error:
                read_text(tmp_path / path)
            assert "mean" not in str(error.value)

    def test_a_model(self, tmp_path, capsys):
        (tmp_path / "ncbi-disease").mkdir()
        (tmp_path / "texts").write_text("Gold.\n")
        arguments = ["--input", str(tmp_path / "texts"), "--output", str(tmp_path / "out.npz")]
        with pytest.raises(SystemExit):
            cli.main(["embed", "--model", str(tmp_path / "ncbi-diseaze"), *arguments])
        assert f"Did you mean {tmp_path / 'ncbi-disease'}?" in capsys.readouterr().err
