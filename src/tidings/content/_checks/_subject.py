"""The subject as recipients get it, and the preheader that inboxes show beside it."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from tidings.content._checks._findings import Finding, Part, Place, Severity, excerpt, rule
from tidings.content._checks._page import Element, Page

EMPTY = rule(
    "subject_empty", Severity.WARNING, "the subject comes out empty", "write one: filters and people pass over it"
)
LONG = rule(
    "subject_long",
    Severity.HINT,
    "a long subject: phones show some 40 characters of it, most inboxes about 60",
    "say the important thing first, or shorten it",
)
CAPITALS = rule(
    "subject_capitals",
    Severity.WARNING,
    "the subject is in capitals: it reads as shouting, and filters count it",
    "write it as a sentence",
    "SpamAssassin: SUBJ_ALL_CAPS",
)
FAKE_REPLY = rule(
    "subject_fake_reply",
    Severity.WARNING,
    "the subject pretends to be an answer or a forwarded message",
    "leave the prefix out",
    "CAN-SPAM, 15 U.S.C. 7704(a)(2): no deceptive subject headings; Gmail's sender guidelines name it",
)
EMOJI = rule(
    "subject_emoji",
    Severity.HINT,
    "more than three emoji in the subject",
    "keep one or two: screen readers read out each by name",
)
SHOUTING = rule(
    "subject_punctuation",
    Severity.HINT,
    "rows of marks such as !!! or $$$ in the subject count with filters",
    "one of them is enough",
)
NO_PREHEADER = rule(
    "preheader_missing",
    Severity.HINT,
    "no preheader: beside the subject inboxes show whatever the message begins with",
    "begin the body with a hidden line (or MJML's mj-preview, or the block document's preheader) of 40 to 100 characters",
)
SHORT_PREHEADER = rule(
    "preheader_short",
    Severity.HINT,
    "a short preheader: inboxes fill up the line with what the message begins with",
    "use 40 to 100 characters, or pad it with invisible ones",
)
_REPLY = re.compile(r"\s*(?:re|fw|fwd|aw|wg|sv|vs|antw|tr|rv|rif|odp)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE)
_PADDING = re.compile("[\u034f\u200c\u2007\u00ad\u00a0]+(?:&#?\\w*$)?|&#?\\w*$")
"""What fills up the line after a preheader, so that inboxes show nothing else (_preheader.py), down to where words are cut."""
_MARKS = re.compile(r"[!?]{3,}|[$€£]{2,}")
_HIDDEN = re.compile(
    r"display\s*:\s*none|max-height\s*:\s*0|opacity\s*:\s*0(?![.\d])|visibility\s*:\s*hidden|font-size\s*:\s*[01]px",
    re.IGNORECASE,
)
_LONGEST = 60


def check_subject(subjects: Sequence[str], source: str) -> Iterator[Finding]:
    """The subjects of some recipients, one at least; `source` is what they were made of."""
    place = Place(Part.SUBJECT, 1, 1, excerpt(source))
    if any(not one.strip() for one in subjects):
        empty = sum(not one.strip() for one in subjects)
        yield EMPTY.at(place, share=empty / len(subjects))
    longest = max(subjects, key=len)
    if len(longest) > _LONGEST:
        yield LONG.at(place, f"{LONG.title}; this one has {len(longest)}")
    for one in subjects:
        letters = [char for char in one if char.isalpha()]
        if len(letters) >= 8 and sum(char.isupper() for char in letters) > 0.8 * len(letters):
            yield CAPITALS.at(place)
            break
    if any(_REPLY.match(one) for one in subjects):
        yield FAKE_REPLY.at(place)
    if any(_emoji(one) > 3 for one in subjects):
        yield EMOJI.at(place)
    if any(_MARKS.search(one) for one in subjects):
        yield SHOUTING.at(place)


def check_preheader(page: Page) -> Iterator[Finding]:
    """What the rendered HTML begins with."""
    for start, end, index in page.runs:
        text = " ".join(page.text[start:end].split())
        if not _in_body(page, index) or not text:
            continue
        hidden = next((one for one in _around(page, index) if _HIDDEN.search(one.get("style"))), None)
        if hidden is None:
            break
        words = " ".join(_PADDING.sub(" ", page.words(hidden.start, hidden.close)).split())
        if 0 < len(words) < 30:
            yield SHORT_PREHEADER.at(Place(Part.PREHEADER, excerpt=excerpt(words)))
        return
    yield NO_PREHEADER.at(Place(Part.PREHEADER))


def _around(page: Page, index: int) -> Iterator[Element]:
    for _ in range(20):
        if index < 0:
            return
        yield page.elements[index]
        index = page.elements[index].parent


def _in_body(page: Page, index: int) -> bool:
    return not any(one.name in {"head", "noscript"} for one in _around(page, index))


def _emoji(text: str) -> int:
    return sum(unicodedata.category(char) == "So" and ord(char) > 0x2190 for char in text)
