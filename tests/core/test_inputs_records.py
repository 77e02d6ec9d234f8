"""Records out of bytes: the same wherever the reads happened to end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from logintel.framing import EveryLine, StackTraces
from logintel.inputs.files.records import MAX_LINE, records
from logintel.inputs.files.text import TextCodec

UTF8 = TextCodec("utf-8")
LINES = st.sampled_from(
    [
        "",
        "   ",
        "2026-11-22 10:00:00 INFO started",
        "java.lang.Error: x",
        "\tat a.b.C.d(C.java:1)",
        "Caused by: y",
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "ValueError: no",
        '{"a": 1}',
        "ünïcödé",
        "\0\0hole",
        "x" * (MAX_LINE + 10),
        "é" * (MAX_LINE // 2 + 1),
    ]
)


def everything(
    data: bytes, arrivals: list[int], framing: type[EveryLine | StackTraces]
) -> list[tuple[tuple[int, int], str]]:
    """Read `data` as it arrives in portions; what is left at the end is final."""
    base, pending, out = 0, b"", []
    bounds = sorted({min(n, len(data)) for n in arrivals} | {len(data)})
    have = 0
    for bound in bounds:
        pending += data[have:bound]
        have = bound
        final = bound == len(data)
        while pending:
            stretch = records(pending, base, UTF8, framing(), final=final)
            out += list(zip(stretch.spans, stretch.texts, strict=True))
            base += stretch.used
            pending = pending[stretch.used :]
            if not stretch.used:
                break
    assert not pending
    return out


@settings(deadline=None)
@given(
    st.lists(LINES, max_size=12),
    st.lists(st.integers(0, 400_000), max_size=6),
    st.sampled_from([EveryLine, StackTraces]),
)
def test_records_do_not_depend_on_how_the_bytes_arrive(
    lines: list[str], arrivals: list[int], framing: type[EveryLine | StackTraces]
) -> None:
    data = "\n".join(lines).encode()
    whole = everything(data, [], framing)
    assert everything(data, arrivals, framing) == whole


@settings(deadline=None)
@given(st.lists(LINES, max_size=12), st.sampled_from([EveryLine, StackTraces]))
def test_records_hold_every_byte_that_is_text(lines: list[str], framing: type[EveryLine | StackTraces]) -> None:
    data = "\n".join(lines).encode()
    found = everything(data, [], framing)
    covered = bytearray(len(data))
    last = 0
    for (start, end), text in found:
        assert last <= start < end
        assert text.replace("\n", "").replace("\0", "") == data[start:end].decode().replace("\n", "").replace("\0", "")
        covered[start:end] = b"\1" * (end - start)
        last = end
    missed = bytes(byte for byte, seen in zip(data, covered, strict=True) if not seen)
    assert not missed.strip(b"\0 \n")
