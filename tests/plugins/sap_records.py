"""Records of the Security Audit Log, built from its documented layout; every value is made up."""

from __future__ import annotations


def audit_record(
    message_id: str = "AU3",
    *variables: str,
    time: str = "20260329030000",
    user: str = "MADEUP",
    terminal: str = "terminal1",
) -> str:
    """One record of 200 characters."""
    joined = "&".join(variables or ("SE16",))
    record = (
        f"2{message_id}{time}0000304{7:05}D1{terminal[:8]:8}{user:12}{'SE16':20}{'SAPMADEUP':40}0011{joined:64}"
        f"{terminal:20}"
    )
    assert len(record) == 200
    return record
