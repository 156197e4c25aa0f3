"""Text that no spreadsheet takes for a formula, and the way back."""

import re

_DANGEROUS = "\t\n\r+-=@\uff0b\uff0d\uff1d\uff20"
_DANGEROUS_ONES = frozenset(_DANGEROUS)
_STARTS = ", ".join(str(ord(character)) for character in f"{_DANGEROUS}'")
_FORMULA = r"^'*[\t\n\r+=@\uff0b\uff0d\uff1d\uff20-]"
_NUMBER = r"^[+-]?[0-9][0-9 ().,/-]*$"


def neutralised(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, CSV injection): an apostrophe before it, if it looks like one.

    Numbers and phone numbers stay as they are: a sign, digits and what stands between digits compute nothing. It can be
    undone: take one apostrophe away where apostrophes are followed by one of those characters.
    """
    looks_like = text.lstrip("'")[:1]
    if looks_like and looks_like in _DANGEROUS and not re.fullmatch(_NUMBER[1:-1], text, re.ASCII):
        return f"'{text}"
    return text


def plain_again(cell: str) -> str:
    """Text from which one apostrophe is taken away, where `neutralised` may have put it."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'")[:1] in _DANGEROUS_ONES else cell


def safe_cell(cell: str) -> str:
    """The SQL of `neutralised`, for an expression; null where the text is empty."""
    return (
        f"nullif(CASE WHEN ascii({cell}) IN ({_STARTS}) AND {cell} ~ E'{_escaped(_FORMULA)}'"
        f" AND {cell} !~ '{_NUMBER}' THEN '''' || {cell} ELSE {cell} END, '')"
    )


def _escaped(pattern: str) -> str:
    return pattern.replace("'", "\\'")
