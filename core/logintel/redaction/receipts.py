"""Receipts: what stands in the place of a secret: the rule, and a keyed hash that is the same for the same secret.

`[redacted:RULE:HASH]`, HASH being the first 8 hex digits of HMAC-SHA256 (RFC 2104) of the secret. Who has the key can
tell whether a receipt may stand for a secret that is known; nobody can read the secret out of it.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from logintel.bus.segment_writer import sync_directory
from logintel.refused import Refused

#: What `Receipts.of` writes.
RECEIPT: Final = r"\[redacted:[a-z][a-z0-9_]*:[0-9a-f]{8}\]"
_ONE: Final = re.compile(RECEIPT)
_KEY_BYTES: Final = 32


class Receipts:
    """Makes receipts with one key."""

    def __init__(self, key: bytes) -> None:
        self._mac = hmac.new(key, digestmod="sha256")

    def of(self, rule: str, secret: str) -> str:
        """The receipt of `secret`."""
        mac = self._mac.copy()
        mac.update(secret.encode("utf-8", "surrogatepass"))
        return f"[redacted:{rule}:{mac.hexdigest()[:8]}]"


def is_receipt(text: str) -> bool:
    """Whether the text is a receipt and nothing else."""
    return _ONE.fullmatch(text) is not None


def kept_key(path: Path) -> bytes:
    """The key in file `path`, which is made when it is not there, for its owner alone. Raises Refused."""
    try:
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise Refused(f"redaction key {path}: {error}: restore it, or name another as agent.redaction.key") from error
    if len(key) < _KEY_BYTES:
        raise Refused(f"redaction key {path} is damaged: restore it, or delete it and have receipts that differ")
    return key


def _make(path: Path) -> None:
    """In one step: of two processes that make it at once, one wins and both use it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{secrets.token_hex(_KEY_BYTES)}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    with suppress(FileExistsError):
        path.hardlink_to(fresh)
    fresh.unlink()
    sync_directory(path.parent)
