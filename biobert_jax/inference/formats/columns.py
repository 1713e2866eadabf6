"""Values in the cells of tables and lines."""

import re

# What Unicode and the formats' readers take for the end of a line, and the separator of columns.
BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")


def cell(value: str, also: str = "") -> str:
    r"""Escapes what would begin a new column or line (a tab becomes the two characters `\t`).

    Args:
      value: an id or a name, of any characters.
      also: other separators of the format.
    """
    out = BREAKS.sub(lambda match: ascii(match[0])[1:-1], value)
    return "".join(f"\\x{ord(char):02x}" if char in also else char for char in out)
