"""Config files: found by name or path, and read with one message for what is wrong in them."""

import difflib
import importlib.util
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import ml_collections

from biobert_jax.errors import SettingError


def root() -> Path:
    """The folder of configs: in the package if it is installed, beside it in a clone."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def find(given: str, folder: str = "") -> str:
    """Resolves what `--config` says.

    Args:
      given: the path of a file, `ner/ncbi_disease`, or `ncbi_disease` for the config of that name;
        `:VARIANT` may follow.
      folder: of the configs of this command, such as `ner`.

    Returns:
      The path, with `:VARIANT` if there is one.

    Raises:
      SettingError: there is no such config; names what is near.
    """
    name, colon, variant = given.partition(":")
    path = Path(name)
    if path.is_file():
        return given
    # A path below configs/ works away from a clone, too.
    below = (
        Path(*path.parts[path.parts.index("configs") + 1 :]) if "configs" in path.parts else path
    )
    for candidate in (root() / folder / below, root() / below):
        for file in (candidate, candidate.with_name(candidate.name + ".py")):
            if file.suffix == ".py" and file.is_file():
                return f"{file}{colon}{variant}"
    known = names(folder)
    near = difflib.get_close_matches(below.stem, known, n=1)
    raise SettingError(
        f"--config={given}: no such file, and no config of that name"
        + (f"; did you mean {near[0]}{colon}{variant}?" if near else "")
        + f". Expected a file or one of {', '.join(known)}"
    )


def names(folder: str) -> list[str]:
    """The names of the configs in a folder of configs/."""
    return sorted(path.stem for path in (root() / folder).glob("*.py"))


def load(file: str) -> ml_collections.ConfigDict:
    """Reads a config file.

    Args:
      file: its path; `:VARIANT` may follow.

    Raises:
      SettingError: the file is no Python, raises something, or has no get_config that returns a
        config; names the line.
    """
    path, _, variant = file.partition(":")
    module = load_module(path)
    if not callable(getattr(module, "get_config", None)):
        raise SettingError(
            f"{path}: has no function get_config(variant); see configs/ for examples"
        )
    try:
        config = module.get_config(variant) if variant else module.get_config()
    except Exception as error:
        raise SettingError(_reason(path, error)) from error
    if not isinstance(config, ml_collections.ConfigDict):
        raise SettingError(
            f"{path}: get_config returned {type(config).__name__}; expected a "
            "ml_collections.ConfigDict"
        )
    return config


def load_module(path: str | Path) -> ModuleType:
    """Runs a config file.

    Raises:
      SettingError: it cannot be read, is no Python, or raises something.
    """
    specification = importlib.util.spec_from_file_location(f"_config_{Path(path).stem}", path)
    if specification is None or specification.loader is None:
        raise SettingError(f"{path}: expected a Python file, whose name ends in .py")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise SettingError(_reason(path, error)) from error
    return module


def _reason(path: str | Path, error: Exception) -> str:
    """What a config file raised, and in which of its lines."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}: {error.msg}"
    text = " ".join(str(error).split())
    if isinstance(error, ValueError) and text.startswith("variant "):
        return f"{path}: {text}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    where = f"{path}:{lines[-1]}" if lines else f"{path}"
    return f"{where}: {type(error).__name__}: {text}"


def any_setting(config: Any) -> dict[str, Any]:
    """All settings and sections of a config, by dotted name."""
    out: dict[str, Any] = {}

    def add(values: Any, prefix: str) -> None:
        for name, value in values.items():
            out[prefix + name] = value
            if isinstance(value, ml_collections.ConfigDict):
                add(value, f"{prefix}{name}.")

    add(config, "")
    return out
