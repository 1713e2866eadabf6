"""Characters that markup cannot hold."""

import re

# What XML 1.0 cannot hold, escaped or not; browsers replace or refuse it, too.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def for_xml(text: str) -> str:
    """Replaces what XML cannot hold by U+FFFD, one for one, so that offsets stay."""
    return _NOT_XML.sub("\ufffd", text)
