"""Personal data: what names a person, where its own shape or a check digit tells it from other text.

A receipt is made of the data in one form: a card number with and without spaces has the same.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from logintel.redaction.rule import Found, Rule, pattern_rule, screened

#: Of a mail address.
_LETTER: Final = "[\\w\u0080-\U0010ffff-]"
#: What stands behind the @ of a unit of systemd (`getty@tty1.service`) is no domain.
_UNITS: Final = frozenset(("service", "socket", "device", "mount", "timer", "target", "slice", "scope", "path"))
#: Characters of an IBAN by country: the SWIFT IBAN registry, release 97.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK ST TN VG",
        25: "LY PT", 26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:{'|'.join(_IBAN_LENGTHS)})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{11,28}}", re.ASCII
)
#: What a card number begins with and how long it is then: ISO/IEC 7812, the ranges in use.
_CARD: Final = (
    r"(?<![0-9])(?<![0-9]\.)(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6(?:011|5[0-9]{2}|4[4-9][0-9])|35[0-9]{2})"
    r"(?P<gap>[ -]?)[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?![0-9])"
    r"|(?<![0-9])(?<![0-9]\.)3[47][0-9]{2}(?P<amex>[ -]?)[0-9]{6}(?P=amex)[0-9]{5}(?![0-9])"
)
_NOT_DIGIT: Final = re.compile(r"[^0-9]")


def _email(text: str) -> str | None:
    address = text.lower().replace("%40", "@")
    return None if address.rpartition(".")[2] in _UNITS else address


def _card(text: str) -> str | None:
    """Luhn's check: ISO/IEC 7812-1, annex B."""
    digits = _NOT_DIGIT.sub("", text)
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return digits if (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0 else None


def _phone(text: str) -> str | None:
    """E.164: at most 15 digits."""
    digits = _NOT_DIGIT.sub("", text)
    return f"+{digits}" if 9 <= len(digits) <= 15 else None


def _ibans(text: str) -> Iterator[Found]:
    """ISO 13616: the country says how long it is, and the whole is 1 modulo 97."""
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS[match[0][:2]]
        places = [place for place, char in enumerate(match[0]) if char.isalnum()][:length]
        iban = "".join(match[0][place] for place in places)
        if len(iban) == length and int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1:
            yield Found(match.start(), match.start() + places[-1] + 1, iban)


def _ipv6(text: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return None


PERSONAL: Final[tuple[Rule, ...]] = (
    # RFC 5321, 4.1.2 and RFC 6531: letters of any script; an @ may be written as URLs write it.
    pattern_rule(
        "email",
        rf"(?<![\w.+-])(?:{_LETTER}|[.+])++(?:'(?:{_LETTER}|[.+])++)*(?:@|%40)(?:{_LETTER}{{1,63}}\.){{1,8}}(?:(?![0-9]){_LETTER}){{2,24}}",
        screened("@", "%40", near=r"[\w\x80-\xff-]{1,190}\.[\w\x80-\xff-]"),
        _email,
    ),
    Rule("iban", _ibans, screened("AA00", near="[A0 -]{11}", view="kinds")),
    pattern_rule(
        "payment_card",
        _CARD,
        (
            *screened("000000000000000", view="kinds"),
            *screened("0000 0", near="(?:000 0000 0|00000 00000)", view="kinds"),
            *screened("0000-0", near="(?:000-0000-0|00000-00000)", view="kinds"),
        ),
        _card,
    ),
    # Only in the international form, with its plus: anything less is any number.
    pattern_rule(
        "phone",
        r"(?<![\w+/])\+[1-9][0-9]{0,2}(?:[ .-]?\([0-9]{1,4}\))?(?:[ .-]?[0-9]{2,4}){2,5}(?![\w-])",
        screened("+", near="[1-9][0-9 ().-]{7}"),
        _phone,
    ),
    pattern_rule(
        "ipv4",
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?!\.?[\w])",
        screened(".", near=r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"),
    ),
    pattern_rule(
        "ipv6",
        r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:[0-9.]{6,14})?(?![\w:])",
        screened(":", near=r"[0-9a-f]{0,4}:[0-9a-f:]"),
        _ipv6,
    ),
)
