"""text: lines that begin with a time or a level, in whatever brackets and order.

The parts in front are told by their looks. Takes a record whose head shows a time or a level; all else is plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logintel.event import Event, Json
from logintel.formats import Decoded, Format, Framer, Reading
from logintel.formats.facts import mention
from logintel.formats.inner import unwrap
from logintel.formats.pairs import pairs
from logintel.formats.patterns import follow
from logintel.framing import StackTraces
from logintel.levels import ANY, LETTERS, WORDS, level_of, put_level
from logintel.timestamps import Clock, clock

#: The parts of a head; after blanks and the separators that stand between them.
_PART: Final = re.compile(
    r"""[\s|,;]*(?:-{1,3}[ |]+|:[ ]+)?(?:
      \[(?P<square>[^\[\]]{0,300}(?:\[[^\[\]]{0,100}\][^\[\]]{0,100}){0,2})\]:?
    | \((?P<round>[^()]{1,120})\):?(?=[\s:|-])
    | <(?P<angle>[^<> ]{1,100})>:?(?=[\s:@])
    | \{(?P<curly>[\w .:-]{1,60})\}
    | (?P<level>[A-Za-z]{3,13}[0-9]?(?=[\s:|\]/,]|$))[:/]?
    )""",
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"[\s|,;*\"]*(?:-{1,3}[ |]+)?")
#: A word before a level or before a colon: a logger, a program, a thread, a number.
_WORD: Final = re.compile(r"([^\s\[\]{}()<>|\"=]{1,100}?)(?:\[([0-9]{1,10})\])?(:(?=\s|$)|(?=\s|\|)|$)")
#: A level among the next few words.
_LEVEL_AHEAD: Final = re.compile(rf"(?:[^\s\[\]\"=:]{{1,80}}\s{{1,8}}){{1,3}}\[?\b(?:{ANY})\b[\]:\s|]")
_SOURCE: Final = re.compile(r"([\w./$-]+\.[A-Za-z]{1,6}):([0-9]{1,7})")
#: A level's letter beside a bracket, a bar or a name with a colon.
_LETTER: Final = re.compile(r"([TVDIWEF])(?= (?:[\[(|]|[\w.-]{1,60}: )|[,|])")
#: A part that a bar ends.
_BARRED: Final = re.compile(r"([^|\n=:\[\]]{1,100}?) *\|")
#: A program before its brackets.
_NAMED: Final = re.compile(r"([\w./-]{1,60})(?:\[([0-9]{1,10})\])?:? (?=\[)")
_NUMBER: Final = re.compile(r"[#]?[0-9]{1,20}")
_NAME: Final = re.compile(r"[A-Za-z_@#][\w.$:/@#<>-]{0,150}")
#: What a stamp can begin with: a digit, or a month's or weekday's letter.
_STAMP_STARTS: Final = frozenset("0123456789JFMASONDTW")
#: A head has no more parts than this.
_MAX_PARTS: Final = 32


class TextFormat(Format):
    name: ClassVar[str] = "text"

    def framer(self) -> Framer:
        return StackTraces()

    def decode(self, records: Sequence[str], reading: Reading) -> list[Decoded]:
        instant = clock(reading)
        return [_decode(record, instant) for record in records]


def _decode(record: str, instant: Clock) -> Event | None:
    head, _, rest = record.partition("\n")
    event = Event(record, format="text")
    end = _read_head(event, head, instant)
    if event.timestamp is None and event.level is None:
        return None
    event.message = head[end:].strip()
    unwrap(event, instant)
    mention(event, head)
    return follow(event, rest)


def _read_head(event: Event, head: str, instant: Clock) -> int:
    """Take the parts of the head, one after the other; where the message begins."""
    place = 0
    for _ in range(_MAX_PARTS):
        blank = _SPACE.match(head, place)
        start = blank.end() if blank else place
        if (
            event.timestamp is None
            and head[start : start + 1] in _STAMP_STARTS
            and (found := instant.at(head, start)) is not None
        ):
            event.timestamp, place = found
            if head[place : place + 1] in (":", "]"):
                place += 1
            continue
        part = _PART.match(head, place)
        if part is not None and (kind := part.lastgroup or "") != "level":
            _take_bracket(event, part[kind].strip(), kind, instant)
            place = part.end()
            continue
        if part is not None and _is_level(part["level"]):
            if event.level is not None:
                return start
            put_level(event, part["level"], level_of(part["level"]))
            place = part.end()
            continue
        letter = _LETTER.match(head, start) if event.level is None else None
        if letter is not None:
            put_level(event, letter[1], LETTERS[letter[1]])
            place = letter.end()
            continue
        taken = _take_word(event, head, start)
        if not taken:
            return start if start > place and place else place
        place = taken
    return place


def _is_level(word: str) -> bool:
    """In one of the three ways that programs write it: a sentence may begin with another."""
    return word.upper() in WORDS and (word.isupper() or word.islower() or word.istitle())


def _take_bracket(event: Event, text: str, kind: str, instant: Clock) -> None:
    """What stands in a bracket, by its looks."""
    if not text:
        return
    if text[0] in _STAMP_STARTS and (found := instant.at(text)) is not None:
        event.timestamp = found[0]
        text = text[found[1] :].strip(" #:")
        if text:
            for word in text.split():
                _take_bracket(event, word, kind, instant)
        return
    level = level_of(text) or (LETTERS.get(text) if len(text) == 1 else None)
    if level is not None and event.level is None:
        put_level(event, text, level)
    elif source := _SOURCE.fullmatch(text):
        event.metadata.setdefault("file", source[1])
        event.fields.setdefault("line_number", int(source[2]))
    elif "=" in text:
        event.metadata.update(pairs(text))
    elif kind == "square" and "thread" not in event.fields and not _NUMBER.fullmatch(text):
        event.fields["thread"] = text
    elif _NUMBER.fullmatch(text) and "pid" not in event.metadata:
        event.metadata["pid"] = text
    else:
        _note(event, text)


def _take_word(event: Event, head: str, start: int) -> int:
    """A bare word that belongs to the head: one that a level or a colon follows. 0: the message begins."""
    if (event.timestamp or event.level) and (barred := _BARRED.match(head, start)) is not None:
        _note(event, barred[1])
        return barred.end()
    if event.timestamp and event.level and "class" not in event.fields and (named := _NAMED.match(head, start)):
        event.fields["class"] = named[1]
        if named[2]:
            event.metadata["pid"] = named[2]
        return named.end()
    word = _WORD.match(head, start)
    if word is None or not word[1]:
        return 0
    is_name = _NAME.fullmatch(word[1]) is not None
    if word[3] == ":" and is_name and (event.timestamp or event.level):
        event.fields.setdefault("class", word[1])
        if word[2]:
            event.metadata["pid"] = word[2]
        return word.end()
    if event.level is None and _LEVEL_AHEAD.match(head, start):
        if is_name:
            event.fields.setdefault("class", word[1])
        else:
            _note(event, word[1])
        return word.end()
    return 0


def _note(event: Event, text: str) -> None:
    """Keep a part that has no name of its own."""
    context = event.metadata.setdefault("context", [])
    if isinstance(context, list):
        kept: list[Json] = context
        kept.append(text)
