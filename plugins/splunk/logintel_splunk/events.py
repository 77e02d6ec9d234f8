"""Events: records decoded by the format of their source type, with what their sender said about them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final, NamedTuple

import orjson

from logintel.event import Event, Json
from logintel.formats import Format, Reading, decode_records
from logintel.levels import level_of, put_level
from logintel.source import SourceContext
from logintel_splunk.config import SplunkConfig, TokenConfig
from logintel_splunk.records import Record, Said

#: What we say of an event; a sender's own word of such a name is kept as record_NAME.
_OURS: Final = frozenset(
    ("peer", "splunk_token", "splunk_channel", "splunk_source", "splunk_sourcetype", "splunk_index")
)
#: Indexed fields that name the level, best first.
_LEVELS: Final = ("level", "severity", "log_level", "lvl")
#: Source types whose formats are remembered, each with what it has learnt.
_REMEMBERED: Final = 256
#: Characters of a text that a format is given; longer ones are taken as they are.
_DECODED: Final = 256 * 1024


class Sender(NamedTuple):
    """Who sent a request.

    peer     IP address of the connection
    forwarded  the address that a proxy named as the sender's; empty: none
    token    None: everybody may send
    channel  empty: none
    """

    peer: str
    forwarded: str = ""
    token: TokenConfig | None = None
    channel: str = ""


class Decoder:
    """Makes the events of one source."""

    def __init__(self, config: SplunkConfig, context: SourceContext) -> None:
        self._config = config
        self._context = context
        self._forms: OrderedDict[tuple[str, str], Format] = OrderedDict()

    def form(self, sender: Sender, sourcetype: str | None) -> Format:
        """The format of a source type of one token's events: `auto` learns of each apart."""
        token = sender.token
        name = sourcetype or (token.sourcetype if token else None) or ""
        key = token.name if token else "", name
        form = self._forms.get(key)
        if form is None:
            form = self._context.formats.create(self._config.formats.get(name, self._config.format))
            self._forms[key] = form
            if len(self._forms) > _REMEMBERED:
                self._forms.popitem(last=False)
        else:
            self._forms.move_to_end(key)
        return form

    def events(self, records: Sequence[Record], sender: Sender) -> list[Event]:
        """One or more for each record, in order."""
        now = self._context.now()
        groups: dict[tuple[str | None, bool], list[int]] = {}
        for number, record in enumerate(records):
            groups.setdefault((record.said.sourcetype, len(record.raw) > _DECODED), []).append(number)
        made: list[tuple[int, Event]] = []
        for (sourcetype, long), numbers in groups.items():
            form = self._context.formats.create("plain") if long else self.form(sender, sourcetype)
            texts = [_line(records[number].value) or records[number].raw for number in numbers]
            decoded, places = decode_records(form, texts, Reading(UTC, now.replace(minute=0, second=0, microsecond=0)))
            made += zip((numbers[place] for place in places), decoded, strict=True)
        if len(groups) > 1:
            made.sort(key=lambda pair: pair[0])
        words: dict[Said, dict[str, Json]] = {}
        for number, event in made:
            record = records[number]
            ours = words.get(record.said)
            if ours is None:
                ours = words[record.said] = _ours(record.said, sender)
            _complete(event, record, ours, sender)
        return [event for _, event in made]


def _line(value: Json) -> str:
    """The line that Docker's log driver carries in an object (`{"line":…,"source":"stdout","tag":…}`); empty: none."""
    if not isinstance(value, dict) or not ("line" in value and "source" in value and "tag" in value):
        return ""
    line = value["line"]
    try:
        return line if isinstance(line, str) else orjson.dumps(line).decode()
    except orjson.JSONEncodeError:
        return ""


def _ours(said: Said, sender: Sender) -> dict[str, Json]:
    token = sender.token
    words = {
        "peer": sender.peer,
        "splunk_token": token.name if token else None,
        "splunk_channel": sender.channel,
        "splunk_source": said.source,
        "splunk_sourcetype": said.sourcetype or (token.sourcetype if token else None),
        "splunk_index": said.index_name or (token.index if token else None),
    }
    return {name: word for name, word in words.items() if word}


def _complete(event: Event, record: Record, ours: dict[str, Json], sender: Sender) -> None:
    if event.raw != record.raw:
        _unwrap(event, record)
    if record.stamp is not None:
        event.timestamp = record.stamp
    if record.fields:
        _index(event, record.fields)
    if record.said.host:
        event.fields["host"] = record.said.host
    else:
        event.fields.setdefault("host", sender.forwarded or sender.peer)
    metadata = event.metadata
    if not _OURS.isdisjoint(metadata):
        for name in _OURS & metadata.keys():
            metadata[f"record_{name}"] = metadata.pop(name)
    metadata.update(ours)


def _unwrap(event: Event, record: Record) -> None:
    """The rest of Docker's object around the line that was decoded."""
    if not isinstance(record.value, dict) or not _line(record.value):
        return  # a part of a record that holds several events
    event.message = event.message or event.raw
    event.raw = record.raw
    for name, value in record.value.items():
        if name != "line":
            event.metadata.setdefault("stream" if name == "source" else f"docker_{name}", value)


def _index(event: Event, fields: Mapping[str, Json]) -> None:
    """Indexed fields are metadata of the event, under `field_NAME` where its text has that name."""
    for name, value in fields.items():
        event.metadata[f"field_{name}" if name in event.metadata else name] = value
    if isinstance(service := fields.get("service"), str) and service:
        event.fields.setdefault("service", service)
    if event.level is None:
        word = next((fields[name] for name in _LEVELS if name in fields), None)
        if isinstance(word, str) and (level := level_of(word)):
            put_level(event, word, level)
