"""Audit messages: what the ids of the Security Audit Log mean.

Ids, and which variable stands where, as SAP's documentation of the Security Audit Log lists them (transaction SE92,
help.sap.com "Security Audit Log"); titles are ours. An id that is not here keeps its variables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from logintel.event import Level

_LOGON, _RFC_LOGON, _RFC, _TRANSACTION = "dialog_logon", "rfc_logon", "rfc_call", "transaction_start"
_REPORT, _USER, _SYSTEM, _OTHER = "report_start", "user_master", "system", "other"


class AuditMessage(NamedTuple):
    """What an id stands for.

    title     for people, without variables
    group     the audit class whose filter in SM19 or RSAU_CONFIG switches it on
    level     WARN for what was refused, failed or switched off; INFO for the rest
    template  the text, `&A` for the first variable, `&B` for the second and so on; None: the title stands for it
    """

    title: str
    group: str
    level: Level = "INFO"
    template: str | None = None

    def text(self, variables: Sequence[str]) -> str:
        """The template with its variables filled in; one that the record does not have is empty."""
        if self.template is None:
            return self.title
        return _PLACE.sub(lambda place: _at(variables, ord(place[1]) - ord("A")), self.template)


_PLACE: Final = re.compile("&([A-I])")


def _at(variables: Sequence[str], place: int) -> str:
    return variables[place] if place < len(variables) else ""


MESSAGES: Final[dict[str, AuditMessage]] = {
    "AU0": AuditMessage("Audit Test Message", _SYSTEM),
    "AU1": AuditMessage("Logon Successful", _LOGON, "INFO", "Logon successful (type=&A, method=&C)"),
    "AU2": AuditMessage("Logon Failed", _LOGON, "WARN", "Logon failed (reason=&B, type=&A, method=&C)"),
    "AU3": AuditMessage("Transaction Started", _TRANSACTION, "INFO", "Transaction &A started"),
    "AU4": AuditMessage("Transaction Start Failed", _TRANSACTION, "WARN", "Start of transaction &A failed (reason=&B)"),
    "AU5": AuditMessage(
        "RFC/CPIC Logon Successful", _RFC_LOGON, "INFO", "RFC/CPIC logon successful (type=&A, method=&C)"
    ),
    "AU6": AuditMessage(
        "RFC/CPIC Logon Failed", _RFC_LOGON, "WARN", "RFC/CPIC logon failed (reason=&B, type=&A, method=&C)"
    ),
    "AU7": AuditMessage("User Created", _USER, "INFO", "User &A created"),
    "AU8": AuditMessage("User Deleted", _USER, "INFO", "User &A deleted"),
    "AU9": AuditMessage("User Locked", _USER, "WARN", "User &A locked"),
    "AUA": AuditMessage("User Unlocked", _USER, "INFO", "User &A unlocked"),
    "AUB": AuditMessage("User Authorizations Changed", _USER, "INFO", "Authorizations of user &A changed"),
    "AUC": AuditMessage("User Logoff", _LOGON),
    "AUD": AuditMessage("User Master Record Changed", _USER, "INFO", "User master record &A changed"),
    "AUE": AuditMessage("Audit Configuration Changed", _SYSTEM, "WARN"),
    "AUF": AuditMessage(
        "Audit Filter Set", _SYSTEM, "INFO", "Audit: slot &A: class &B, severity &C, user &D, client &E, &F"
    ),
    "AUG": AuditMessage("Application Server Started", _SYSTEM),
    "AUH": AuditMessage("Application Server Stopped", _SYSTEM, "WARN"),
    "AUI": AuditMessage("Audit Filter Inactive", _SYSTEM, "WARN", "Audit: slot &A inactive"),
    "AUJ": AuditMessage("Audit Status Set", _SYSTEM, "WARN", "Audit: active status set to &A"),
    "AUK": AuditMessage("Successful RFC Call", _RFC, "INFO", "Successful RFC call &C (function group = &A)"),
    "AUL": AuditMessage("Failed RFC Call", _RFC, "WARN", "Failed RFC call &C (function group = &A)"),
    "AUM": AuditMessage(
        "User Locked After Password Errors",
        _USER,
        "WARN",
        "User &B locked in client &A after errors in password checks",
    ),
    "AUN": AuditMessage(
        "Lock After Password Errors Removed", _USER, "INFO", "User &B in client &A unlocked after password errors"
    ),
    "AUO": AuditMessage("Logon Failed", _LOGON, "WARN", "Logon failed (reason=&B, type=&A)"),
    "AUP": AuditMessage("Transaction Locked", _TRANSACTION, "WARN", "Transaction &A locked"),
    "AUQ": AuditMessage("Transaction Unlocked", _TRANSACTION, "INFO", "Transaction &A unlocked"),
    "AUR": AuditMessage("Authorization Object Created", _USER, "INFO", "&A &B created"),
    "AUS": AuditMessage("Authorization Object Deleted", _USER, "INFO", "&A &B deleted"),
    "AUT": AuditMessage("Authorization Object Changed", _USER, "INFO", "&A &B changed"),
    "AUU": AuditMessage("Authorization Object Activated", _USER, "INFO", "&A &B activated"),
    "AUV": AuditMessage("Digital Signature Error", _OTHER, "WARN", "Digital signature error (reason = &A, ID = &B)"),
    "AUW": AuditMessage("Report Started", _REPORT, "INFO", "Report &A started"),
    "AUX": AuditMessage("Report Start Failed", _REPORT, "WARN", "Start of report &A failed (reason=&B)"),
    "AUY": AuditMessage("Download", _OTHER, "INFO", "Download of &A bytes to file &C"),
    "AUZ": AuditMessage("Digital Signature", _OTHER, "INFO", "Digital signature (reason = &A, ID = &B)"),
    "BU1": AuditMessage("Password Check Failed", _LOGON, "WARN", "Password check failed for user &B in client &A"),
    "BU2": AuditMessage("Password Changed", _USER, "INFO", "Password changed for user &B in client &A"),
    "BU4": AuditMessage("Dynamic ABAP Code", _OTHER),
    "CUI": AuditMessage("Application Started", _TRANSACTION, "INFO", "Application &A started"),
    "CUJ": AuditMessage("Application Start Failed", _TRANSACTION, "WARN", "Start of application &A failed (reason=&B)"),
    "CUK": AuditMessage("Debugging Activated", _OTHER),
    "CUL": AuditMessage("Field Changed in Debugger", _OTHER),
    "CUM": AuditMessage("Jump in Debugger", _OTHER),
    "CUN": AuditMessage("Process Stopped From Debugger", _OTHER),
    "CUO": AuditMessage("Database Operation in Debugger", _OTHER),
    "CUP": AuditMessage("Non-Exclusive Debugging Started", _OTHER),
    "CUV": AuditMessage("Successful Web Service Call", _RFC),
    "CUW": AuditMessage("Failed Web Service Call", _RFC, "WARN"),
    "CUZ": AuditMessage(
        "Generic Table Access by RFC", _OTHER, "INFO", "Generic table access by RFC to &A with activity &B"
    ),
    "DU9": AuditMessage(
        "Read Table", _OTHER, "INFO", "Generic table access to &A with activity &B (authorization check: &C)"
    ),
    "DUI": AuditMessage("RFC Callback Executed", _RFC),
    "DUJ": AuditMessage("RFC Callback Rejected", _RFC, "WARN"),
    "DUK": AuditMessage("RFC Callback in Simulation Mode", _RFC),
}
