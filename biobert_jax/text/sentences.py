"""Sentence splitting for biomedical prose, by rules.

Every full stop, question mark and exclamation mark before a blank is looked at once, with the word
before it and the word after it. The rules know what that prose is full of: genus names ("E. coli"),
"et al. [12] showed", "Fig. 2A", "approx. 5%", "37 degrees C. S. aureus", sentences that begin with
"p53" or "mRNA". How good they are, and against what that was measured: docs/corpora.md.
"""

import re

# A stop, what closes with it, a citation that belongs to what it follows, and the blank.
_CANDIDATE = re.compile(
    r"""[.?!…]["'”’)\]}]*(\s?\[\d[\d,;\s\u2010-\u2015-]*\]|(?<=[a-z][.])\d[\d,\u2010-\u2015-]*)?\s+"""
    r"""|\n\s*\n\s*"""
)

# Never the end of a sentence, as written here.
_NEVER = frozenset(
    """Fig Figs fig figs FIG Eq Eqs eq eqs Ref Refs ref refs Tab Tabs Suppl suppl Sect sect
    Vol vol Nos nos pp Chap chap Dr Drs Prof Mr Mrs Ms Mt vs Vs VS approx Approx ca cf
    Cf cfr e.g i.e E.g I.e eg ie viz resp esp incl excl var subsp ssp cv subg Dept dept Univ
    Proc Lett ed eds Rev""".split()  # noqa: SIM905
)
# The end only if a word follows that begins sentences.
_SELDOM = frozenset(
    """al Inc Co Corp Ltd Bros GmbH sp spp U.S U.K U.S.A D.C Ph.D M.D Jr Sr Sci Biol Med Chem
    Biochem Lab Labs Int Am Acad Natl Soc Assoc Intl Calif Mass Wash Pharm Pharmaceut no No St
    Staph Strep""".split()  # noqa: SIM905
)
_STARTERS = frozenset(
    """The This These Those That There Their They Then Thus Therefore To We Our In It Its If
    Is Here However Hence Moreover Furthermore Further Finally For From When Whereas While
    With Within Without Using Under Upon An As At After All Also Although Among Additionally
    Because Both But By Before Between Conversely Consequently Despite During Each Even Of On
    One Only Other Over Overall Patients Results Methods Background Conclusion Conclusions
    Objective Objectives Similarly Since Some Such Subsequently Taken Two Three Four Five
    Several Most Many More No Neither None Nevertheless Not Interestingly Importantly
    Surprisingly Studies What Which Who Why How Whether You He She I""".split()  # noqa: SIM905
)
# After these, a single capital is an initial or a genus; after other words in lower case it is a
# name of its own ("vitamin C.", "NF-kappa B.", "37 degrees C.") that may end a sentence.
_BEFORE_NAMES = frozenset(
    """a against and as at by for from genus in of on or organism organisms serovar species
    that the to versus vs vs. was were with""".split()  # noqa: SIM905
)
# Words in lower case that begin sentences: names with a capital, a digit or a Greek letter.
_NAME = re.compile(
    r"[a-z]{0,6}-?[A-Z0-9]|[a-z]{1,2}-[A-Za-z]|(?:alpha|beta|gamma|delta|kappa|mu|tau|sigma)\b|[α-ω]"
)
_INITIALS = re.compile(r"(?:[A-Z]\.-?)*[A-Z]")
_WORD = re.compile(r"[\"'(\[“‘]*([^\s.,;:)\]]*)")
_OPENING = "\"'“‘([{«"
# How many characters are looked at around a stop, so that no text takes time out of proportion.
_LONGEST_PARENTHESIS = 300
_LOOK_BACK = 60


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Finds the sentences of a text.

    Args:
      text: prose, normally one paragraph; blank lines end sentences, single line breaks do not.

    Returns:
      (start, end) offsets into `text`, in order, without blanks at the ends. Together they hold
      every character that is not a blank; an empty text has none.
    """
    sentences = []
    start = len(text) - len(text.lstrip())
    for match in _CANDIDATE.finditer(text, start):
        after = match.end()
        if after == len(text):
            break
        if _is_boundary(text, start, match, after):
            sentences.append((start, len(text[start:after].rstrip()) + start))
            start = after
    end = len(text.rstrip())
    if start < end:
        sentences.append((start, end))
    return sentences


def _is_boundary(text: str, start: int, match: re.Match[str], after: int) -> bool:
    """Whether the sentence that began at `start` ends with `match`, before offset `after`."""
    stop = match.start()
    mark, following = text[stop], text[after]
    if match.group().count("\n") > 1:  # a blank line
        return True
    if following in _OPENING:
        following = _word_at(text, after)[:1] or following
    if following.islower():
        if mark != "." or match[1] or not _NAME.match(text, after):
            return False
    elif not (following.isupper() or following.isdigit() or following in _OPENING):
        return False
    if _is_inside_parenthesis(text, start, match.end() - 1):
        return False
    if mark != ".":
        return True
    # The word at the stop and the one before it, if they exist.
    *_, before, word = "", "", *text[max(start, stop - _LOOK_BACK) : stop].rsplit(None, 2)[-2:]
    word = word.lstrip(_OPENING)
    if word in _NEVER or word.endswith("."):  # an ellipsis
        return False
    if not before and word.isdigit() and len(word) < 3:  # "1. Introduction"
        return False
    if word in _SELDOM:
        return _word_at(text, after) in _STARTERS
    if _INITIALS.fullmatch(word):
        if before.isdigit() or (before[-1:].islower() and before not in _BEFORE_NAMES):
            return True
        return _word_at(text, after) in _STARTERS
    return True


def _word_at(text: str, start: int) -> str:
    match = _WORD.match(text, start)
    assert match is not None, "it matches the empty string, too"
    return match[1]


def _is_inside_parenthesis(text: str, start: int, stop: int) -> bool:
    """Whether a parenthesis that does not begin the sentence is still open at `stop`."""
    for opening, closing in ("()", "[]"):
        opened = text.find(opening, max(start + 1, stop - _LONGEST_PARENTHESIS), stop)
        if opened >= 0 and text.count(opening, opened, stop) > text.count(closing, opened, stop):
            closed = text.find(closing, stop, stop + _LONGEST_PARENTHESIS)
            # If another opens first, the closing one is that one's: this one was never closed.
            return closed >= 0 and text.find(opening, stop, closed) < 0
    return False
