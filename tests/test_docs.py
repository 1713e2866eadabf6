"""What README and docs/ say can be typed and opened: commands, settings, modules, files, links."""

import argparse
import contextlib
import importlib.util
import json
import re
import runpy
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from biobert_jax.cli import COMMANDS, make_parser
from biobert_jax.configuration import files
from biobert_jax.launcher.commands import EXPERIMENTS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
SETTING = re.compile(r"--config\.([a-z_.]+)=?")


def commands(page: Path) -> list[list[str]]:
    """The words of each command line of a page's blocks of code, continuation lines joined."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    # What a command writes to a file, or reads, is no command.
    blocks = [re.sub(r"<<'END'\n.*?^END$", "", b, flags=re.MULTILINE | re.DOTALL) for b in blocks]
    blocks += re.findall(r"(?:^    \S.*\n)+(?:^     .*\n)*", text, re.MULTILINE)
    found = []
    for line in "\n".join(blocks).replace("\\\n", " ").split("\n"):
        with contextlib.suppress(ValueError):  # a quotation that a shell ends on another line
            words = shlex.split(line.replace("[--", "--").replace("]", ""), comments=True)
            if "|" in words:
                words = words[words.index("|") + 1 :]
            found.append(words[: next((i for i, w in enumerate(words) if w in "<>&"), None)])
    return [words for words in found if words]


def of_kind(*start: str) -> list:
    """Every command that begins with these words, with its page as the test's name."""
    return [
        pytest.param(words, id=f"{page.name}: {' '.join(words)[:60]}")
        for page in PAGES
        if page.exists()
        for words in commands(page)
        if tuple(words[: len(start)]) == start
    ]


@pytest.mark.parametrize("words", of_kind("biobert"))
def test_a_command_of_the_console_script_is_understood(words, monkeypatch):
    def error(self, message):
        raise AssertionError(message)

    monkeypatch.setattr(argparse.ArgumentParser, "error", error)
    with contextlib.suppress(SystemExit):  # --help and --version end the process
        make_parser().parse_args(words[1:])


@pytest.mark.parametrize("words", of_kind("biobert", "train"))
def test_a_config_of_the_console_script_has_the_settings(words):
    [given] = [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    assert words[2] in EXPERIMENTS
    config = files.load(files.find(given, words[2]))
    for name in SETTING.findall(" ".join(words)):
        assert name in files.any_setting(config), f"{given} has no {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_and_json_can_be_read(page):
    text = page.read_text(encoding="utf-8")
    blocks = {
        kind: re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for kind in ("python", "json")
    }
    for code in blocks["python"]:
        compile(code, str(page), "exec")
    for value in blocks["json"]:
        json.loads(value)


def test_every_page_is_in_the_navigation():
    listed = set()
    for tree in re.findall(
        r"^```\{toctree\}\n(.*?)^```",
        (ROOT / "docs/index.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    ):
        listed |= {line for line in tree.splitlines() if line and not line.startswith(":")}
    folder = ROOT / "docs"
    pages = [path for ending in ("md", "ipynb") for path in folder.rglob(f"*.{ending}")]
    names = {str(path.relative_to(folder).with_suffix("")) for path in pages} - {"index"}
    missing = {name for name in names if not any(fnmatch(name, pattern) for pattern in listed)}
    assert not missing, "add them to a toctree of docs/index.md"


def test_the_page_of_commands_has_all():
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    for command in {command.name.split()[0] for command in COMMANDS}:
        assert re.search(rf"`biobert {command}\b", page), command


def experiments() -> list:
    return [
        param
        for param in of_kind("python", "-m")
        if param.values[0][2].startswith(("experiments.", "benchmarks."))
    ]


@pytest.mark.parametrize("words", experiments())
def test_a_module_exists_and_its_config_has_the_settings(words):
    assert importlib.util.find_spec(words[2]), words[2]
    for word in words:
        if not word.startswith("--config=") or "CONFIG" in word:
            continue
        path, _, variant = word.removeprefix("--config=").partition(":")
        config = runpy.run_path(str(ROOT / path))["get_config"](variant)
        known = set(config.keys()) | set(dict(flat(config)))
        for name in SETTING.findall(" ".join(words)):
            assert name in known, f"{path} has no {name}"


def flat(config, prefix=""):
    for name, value in config.items():
        yield prefix + name, value
        if hasattr(value, "items"):
            yield from flat(value, f"{prefix}{name}.")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_links_exist(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):  # headings: make docs
        assert (page.parent / link).exists(), link
    folders = "tests|configs|benchmarks|docs|biobert_jax|experiments"
    for name in re.findall(rf"\b((?:{folders})/[\w/.-]+\w)", text):
        if not re.search("NAME|TASK", name):  # those stand for a name
            assert (ROOT / name).exists(), name


def test_make_targets_exist():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z-]+)", text)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
