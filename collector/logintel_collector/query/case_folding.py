"""Case: the characters that a regular expression takes for each other, as Lucene has them (its CaseFolding).

A letter and its other case, as Java's Character gives it; and those of which Unicode's simple folding makes three or
more the same. Compared with Elasticsearch for every letter below U+3000.
"""

from __future__ import annotations

from typing import Final

_ALIKE: Final = (
    "Kk\u212a", "Ss\u017f", "\u00b5\u039c\u03bc", "\u00c5\u00e5\u212b", "\u00df\u1e9e", "\u01c4\u01c5\u01c6",
    "\u01c7\u01c8\u01c9", "\u01ca\u01cb\u01cc", "\u01f1\u01f2\u01f3", "\u0390\u1fd3", "\u03b0\u1fe3",
    "\u0392\u03b2\u03d0", "\u0395\u03b5\u03f5", "\u0398\u03b8\u03d1\u03f4", "\u0399\u03b9\u0345\u1fbe",
    "\u039a\u03ba\u03f0", "\u03a0\u03c0\u03d6", "\u03a1\u03c1\u03f1", "\u03a3\u03c2\u03c3", "\u03a6\u03c6\u03d5",
    "\u03a9\u03c9\u2126", "\u0412\u0432\u1c80", "\u0414\u0434\u1c81", "\u041e\u043e\u1c82", "\u0421\u0441\u1c83",
    "\u0422\u0442\u1c84\u1c85", "\u042a\u044a\u1c86", "\u0462\u0463\u1c87", "\u1c88\ua64a\ua64b",
    "\u1e60\u1e61\u1e9b",
)  # fmt: skip
_CLASS: Final = {char: alike for alike in _ALIKE for char in alike}


def variants(char: str) -> set[str]:
    """The character, and those that differ from it in case alone."""
    if char in _CLASS:
        return set(_CLASS[char])
    upper = char.upper() if len(char.upper()) == 1 else char.title()
    other = upper if char.islower() else char.lower()[:1]
    return {char, other} if len(other) == 1 else {char}
