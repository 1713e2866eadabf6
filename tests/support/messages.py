"""What a user sees of a failure."""

from collections.abc import Callable

import pytest

from biobert_jax.errors import FAILED, report_errors


def only_message(capsys: pytest.CaptureFixture[str], function: Callable[[], object]) -> str:
    """Runs what must fail as a program does: exit code 1 and one line, which is returned."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end, report_errors():
        function()
    assert end.value.code == FAILED
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, lines
    return lines[0].removeprefix("error: ")
