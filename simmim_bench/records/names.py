"""Names of methods, data sets, backbones, protocols and metrics: what they may be made of.

Names stand in tables, pages, folder names and formulas of LaTeX, and two of them that look the same
must be the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

PUNCTUATION = " ._-,;%"
"""What a name may hold besides letters, marks and digits; ours use the first eight."""
RULE = f"a name holds letters, digits, spaces and {PUNCTUATION[1:]}"
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point)."""
WRITTEN_TOGETHER = (
    {"Latn", "Hani", "Hira", "Kana"},
    {"Latn", "Hani", "Hang"},
    {"Latn", "Hani", "Bopo"},
)
"""Scripts that share words in Japanese, Korean and Chinese (Unicode UTS 39, section 5.2)."""
ANY_SCRIPT = {"Zyyy", "Zinh"}  # digits, marks, modifiers
LONGEST = 120
"""Bytes in UTF-8. A folder is named METHOD__BACKBONE, and file systems allow 255 bytes."""
MARKS = 4
"""Most marks on one letter; more overlay the lines of a table (Unicode UTS 39, section 5.4)."""


@lru_cache(maxsize=4096)  # a record has a dozen names, a store has few different ones
def checked_name(text: str) -> str:
    """The name in Unicode's form NFC, in which a letter with an accent is one character.

    Raises:
        ValueError: If it does not start with a letter or digit, ends with a space, is too long, or
            holds another character than ``RULE`` says, one that looks like another, or a word in
            two scripts.
    """
    text = unicodedata.normalize("NFC", text)
    _check(text)
    return text


def plain_name(text: str) -> str:
    """A name as suites and folders allow it: ``timm swin_tiny`` becomes ``timm-swin_tiny``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or "unnamed"


def counted(number: float, noun: str) -> str:
    """A number with its noun: ``1 epoch``, ``24 epochs``."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def _check(text: str) -> None:
    if text != text.strip():
        raise ValueError(f"outer spaces; {RULE}")
    for character in text:
        if not _is_allowed(character):
            raise ValueError(f"{_shown(character)} is not allowed; {RULE}")
    if not text[:1].isalnum():
        raise ValueError(f"a name starts with a letter or digit, got {text[:1]!r}")
    if (size := len(text.encode())) > LONGEST:
        raise ValueError(f"a name has at most {LONGEST} bytes in UTF-8, got {size}")
    if not text.isascii():
        _check_look(text)


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in PUNCTUATION
    category = unicodedata.category(character)
    return (category[0] in "LM" or category == "Nd") and not INVISIBLE.match(character)


def _check_look(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text)
    if plain != text:
        found = next(c for c in text if unicodedata.normalize("NFKC", c) != c)
        meant = unicodedata.normalize("NFKC", found)
        raise ValueError(f"{_shown(found)} looks like {meant!r}; write {plain!r}")
    for word in re.split(f"[{re.escape(PUNCTUATION)}]+", text):
        _check_word(word)


def _check_word(word: str) -> None:
    marks = 0
    for number, character in enumerate(word):
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if marks > min(number, MARKS):
            raise ValueError(f"{word!r} has {_shown(character)} on no letter, or too many on one")
    _check_scripts(word)


def _check_scripts(word: str) -> None:
    from fontTools.unicodedata import script_extension, script_name

    scripts = {letter: set(script_extension(letter)) - ANY_SCRIPT for letter in word}
    used = [found for found in scripts.values() if found]
    if not used or set.intersection(*used):
        return
    if any(all(found & group for found in used) for group in WRITTEN_TOGETHER):
        return
    first, found = next((letter, found) for letter, found in scripts.items() if found)
    other = next(letter for letter in scripts if scripts[letter] and not scripts[letter] & found)
    names = [script_name(min(scripts[letter])) for letter in (first, other)]
    raise ValueError(
        f"{word!r} mixes {names[0]} and {names[1]} letters, {_shown(first)} and {_shown(other)}, "
        f"which may look the same; write each word in one script"
    )


def _shown(character: str) -> str:
    if character.isascii() and character.isprintable():
        return repr(character)
    return f"{character!r} ({unicodedata.name(character, 'a control character')})"
