"""Who may know whom, as docs/architecture.md says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "biobert_jax"

TABLE = ROOT.parent / "docs/architecture.md"


def table() -> tuple[dict[str, set[str]], set[str]]:
    """Reads the table of rooms in docs/architecture.md.

    Returns:
      What each room may import, by room: other rooms, or modules of them. And the modules beside
      the rooms, which all may import.
    """
    may, common = {}, set()
    section = TABLE.read_text(encoding="utf-8").split("## Rooms")[1].split("\n## ")[0]
    for line in section.splitlines():
        cells = line.strip("| ").split(" | ")
        names = [name.rstrip("/") for name in re.findall(r"`([^`]*)`", cells[0])]
        if len(cells) != 3 or not names:
            continue
        if names[0].endswith(".py"):
            common |= {name.removesuffix(".py") for name in names}
        elif "all of the above" in cells[2]:
            may[names[0]] = set(may)
        else:
            may[names[0]] = set(re.findall(r"`([^`]*)`", cells[2]))
    return may, common


MAY_IMPORT, COMMON = table()


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_only_what_the_table_says(room):
    allowed = [f"biobert_jax.{name}" for name in {room} | MAY_IMPORT[room] | COMMON]
    for path in (ROOT / room).rglob("*.py"):
        for name in imports(path):
            assert not name.startswith(("experiments", "configs", "tests", "benchmarks")), path
            if name.startswith("biobert_jax."):
                assert any(name == one or name.startswith(one + ".") for one in allowed), (
                    f"{path.relative_to(ROOT)} imports {name}; docs/architecture.md has what "
                    f"{room}/ may import"
                )


def test_the_table_has_every_room_and_names_only_what_exists():
    assert set(MAY_IMPORT) == {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {"files", "errors"} <= COMMON
    for name in set().union(*MAY_IMPORT.values()) | COMMON:
        place = ROOT / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
    for room, names in MAY_IMPORT.items():
        used = {name for path in (ROOT / room).rglob("*.py") for name in imports(path)}
        for name in names - set(MAY_IMPORT):
            assert any(f"{one}.".startswith(f"biobert_jax.{name}.") for one in used), (
                f"{room}: {name}"
            )


def test_nothing_at_run_time_needs_tensorflow_or_torch():
    """They are extras: only the readers of their own formats may import them, and lazily."""
    for path in ROOT.rglob("*.py"):
        top = [
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in top
            for alias in node.names
        }
        heavy = {name.split(".")[0] for name in names} & {"tensorflow", "torch", "ray"}
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy} when it is imported"


def test_every_folder_of_modules_is_a_package():
    """Or the wheel lacks it: setuptools finds packages by their __init__.py."""
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
