"""One rotation of one log as logrotate does it, step by step, inside a directory that is ours alone.

Our own implementation instead of a call of logrotate: it stands still between its steps, so that the trial can write a
line between copy and truncation; it needs neither logrotate nor root; its clock can be moved; it runs nothing of the
host's. tests/host holds it to the real one, rotation by rotation. The order of steps is that of logrotate.c 3.21.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from logintel.refused import Refused
from logintel_agent.doctor.compression import compressed
from logintel_agent.doctor.rule import Rule

#: Digits that a conversion of `dateformat` prints (logrotate.c, prerotateSingleLog).
_DIGITS: Final = {"Y": 4, "G": 4, "j": 3, "u": 1, "w": 1, "s": 10, **dict.fromkeys("ygmdHMSVUW", 2)}
_CONVERSION: Final = re.compile(f"%([{''.join(_DIGITS)}])")
#: Stands for the date in a name while the names that have one are looked for.
_MARK: Final = "\x01"


@dataclass(slots=True)
class Rotation:
    """Rotates `log` by `rule`. Every path stays under `root`.

    aged  when a rotated file came to be, by its inode: `maxage` goes by the trial's clock, not by that of the disk
    """

    rule: Rule
    log: Path
    root: Path
    aged: dict[int, datetime] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where rotated files go."""
        olddir = self.rule.olddir or "."
        inside = f"{self.root}{olddir}" if olddir.startswith("/") else self.log.parent / olddir
        return self._inside(Path(os.path.normpath(inside)))

    def steps(self, now: datetime) -> Iterator[str]:
        """Do one rotation; yields the name of each step once it is done. Ends early where logrotate would skip it."""
        rule = self.rule
        if not self.log.exists() or not (rule.ifempty or self.log.stat().st_size):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if rule.compress and rule.delaycompress:
            for earlier in self._uncompressed():
                self._compress(earlier)
                yield "compress the one before"
        final, excess = self._made_room(now)
        if final is None:
            return
        yield "make room"
        yield from self._put_away(final)
        yield "tell the writer"
        yield from self._finish(final, now)
        for path in excess:
            if path.exists():
                self._remove(path)
                yield "remove"

    def _finish(self, final: Path, now: datetime) -> Iterator[str]:
        """What is done behind the scripts."""
        held = self.log.with_name(f"{self.log.name}.tmp")
        if self.rule.renamecopy and held.exists():
            shutil.copyfile(held, final)
            held.unlink()
            yield "copy"
        if self.rule.compress and not self.rule.delaycompress and final.exists():
            final = self._compress(final)
            yield "compress"
        if final.exists():
            self.aged[final.stat().st_ino] = now

    def _put_away(self, final: Path) -> Iterator[str]:
        rule = self.rule
        if rule.in_place:
            if rule.rotate:
                shutil.copyfile(self.log, final)
                yield "copy"
            if rule.copytruncate:
                os.truncate(self.log, 0)
                yield "truncate"
            return
        self.log.rename(self.log.with_name(f"{self.log.name}.tmp") if rule.renamecopy else final)
        yield "rename"
        if rule.create is not None:
            self.log.touch()
            yield "create"

    def _made_room(self, now: datetime) -> tuple[Path | None, list[Path]]:
        """Where the log goes (None: the name is taken, logrotate skips the rotation); what is removed at the end."""
        if self.rule.dateext:
            return self._dated(now)
        return self._shifted(now)

    def _dated(self, now: datetime) -> tuple[Path | None, list[Path]]:
        rule = self.rule
        ending = rule.compressext if rule.compress else ""
        final = self._named(self._stamp(now))
        if final.with_name(final.name + ending).exists():
            return None, []
        rotated = self._like(ending)
        keep = max(rule.rotate, 1)
        surplus = [] if rule.rotate < 0 else rotated[: max(0, len(rotated) - keep + 1)]
        gone = surplus + [path for path in rotated if path not in surplus and self._too_old(path, now)]
        for path in gone[:-1]:
            self._remove(path)
        return final, [*gone[-1:], *self._disposable(final)]

    def _shifted(self, now: datetime) -> tuple[Path | None, list[Path]]:
        rule = self.rule
        ending = rule.compressext if rule.compress else ""
        last = rule.start + (max(rule.rotate, 1) if rule.rotate >= 0 else self._last_number(ending))
        for number in range(last - 1, rule.start - 1, -1):
            path = self._named(f".{number}", ending)
            if path.exists() and self._too_old(path, now):
                self._remove(path)
            elif path.exists():
                path.rename(self._named(f".{number + 1}", ending))
        final = self._named(f".{rule.start}")
        excess = [] if rule.rotate < 0 else [self._named(f".{last}", ending)]
        return final, self._disposable(final) or excess

    def _disposable(self, final: Path) -> list[Path]:
        """With `rotate 0` a log is removed as soon as it is rotated."""
        rule = self.rule
        if rule.rotate or rule.in_place:
            return []
        return [final.with_name(final.name + rule.compressext) if rule.compress and not rule.delaycompress else final]

    def _last_number(self, ending: str) -> int:
        number = self.rule.start
        while self._named(f".{number}", ending).exists():
            number += 1
        return number - self.rule.start + 1

    def _uncompressed(self) -> list[Path]:
        if self.rule.dateext:
            return self._like("")
        return [path for path in [self._named(f".{self.rule.start}")] if path.exists()]

    def _named(self, suffix: str, ending: str = "") -> Path:
        """A rotated file's path: `extension` and `addextension` go to the end of its name."""
        base, last = self.log.name, ""
        for extension in (self.rule.addextension, self.rule.extension):
            if extension and base.endswith(extension):
                base, last = base.removesuffix(extension), extension
        last = last or self.rule.addextension or ""
        return self._inside(Path(os.path.normpath(self.folder / f"{base}{suffix}{last}{ending}")))

    def _like(self, ending: str) -> list[Path]:
        """Rotated files with a date in their names, oldest first."""
        pattern = _CONVERSION.sub(lambda match: rf"\d{{{_DIGITS[match[1]]}}}", re.escape(self._format()))
        before, _, behind = self._named(_MARK, ending).name.rpartition(_MARK)
        name = re.compile(f"{re.escape(before)}{pattern}{re.escape(behind)}")
        return sorted(path for path in self.folder.iterdir() if name.fullmatch(path.name))

    def _stamp(self, now: datetime) -> str:
        if self.rule.dateyesterday:
            now -= timedelta(days=1)
        if self.rule.datehourago:
            now -= timedelta(hours=1)
        return _CONVERSION.sub(lambda match: now.strftime(match[0]), self._format())

    def _format(self) -> str:
        default = {"hourly": "-%Y%m%d%H", "minutes": "-%Y%m%d%H%M"}.get(self.rule.criterion, "-%Y%m%d")
        return self.rule.dateformat or default

    def _too_old(self, path: Path, now: datetime) -> bool:
        born = self.aged.get(path.stat().st_ino, now)
        return bool(self.rule.maxage) and (now - born).days > self.rule.maxage

    def _compress(self, path: Path) -> Path:
        target = self._inside(path.with_name(path.name + self.rule.compressext))
        target.write_bytes(compressed(path.read_bytes(), self.rule.compresscmd))
        if born := self.aged.get(path.stat().st_ino):
            self.aged[target.stat().st_ino] = born
        self._remove(path)
        return target

    def _remove(self, path: Path) -> None:
        """Unlink; with `shred` the content is overwritten first, also for who has the file open."""
        if self.rule.shred:
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
        path.unlink()

    def _inside(self, path: Path) -> Path:
        if not path.is_relative_to(self.root) or path == self.log:
            raise Refused(
                f"{self.rule.place}: the rule's names lead out of the scratch directory or onto the log itself"
            )
        return path
