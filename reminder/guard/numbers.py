"""Recognition of numbers that must never be stored: card numbers and passcodes, in any digits, words and disguise.

What explains digits is recognised first (guard/ordinary): dates, telephone numbers, amounts, addresses, references and
the like. Of the rest six digits in a run are refused, and twelve however they are divided, whatever their check digit:
of random twelve-digit numbers one in ten passes the My Number's own check, so a check digit only chooses the words.
Unclear cases are refused.
"""

import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

from reminder.guard import digit_words, ordinary, secrets
from reminder.guard.ordinary import DATE as _DATE


class LooksLike(StrEnum):
    """The kind of number that a text appears to hold."""

    MY_NUMBER = "my_number"
    CORPORATE_NUMBER = "corporate_number"
    LICENCE_NUMBER = "licence_number"
    APPLICATION_ID = "application_id"
    RESIDENCE_CARD_NUMBER = "residence_card_number"
    PASSPORT_NUMBER = "passport_number"
    MACHINE_READABLE_ZONE = "machine_readable_zone"
    INSURANCE_NUMBER = "insurance_number"
    PASSCODE = "passcode"
    LONG_NUMBER = "long_number"  # twelve digits or more
    LONG_DIGITS = "long_digits"  # six to eleven digits that nothing explains
    TOO_LONG = "too_long"  # longer than anything that may be stored: not read at all


LONG, SUSPICIOUS = 12, 6
# A longer text is refused before any pattern is tried: no field, cell, address or text message is longer.
LONGEST = 1000
# Numbers are also written digit by digit: 一二三四…. Tens and hundreds (三十一) are used in dates and counts.
_KANJI = str.maketrans(
    {
        kanji: str(digit)
        for digit, kanjis in enumerate(
            ("〇零", "一壱壹", "二弐貳", "三参參", "四肆", "五伍", "六陸", "七漆", "八捌", "九玖")
        )
        for kanji in kanjis
    }
)
# 健一 090-…, 三郎 090-…: one such kanji, beside a letter of its name and no other digit.
_ANY_KANJI = "".join(map(chr, _KANJI))
_NAME_KANJI = re.compile(
    rf"(?<=[^\W0-9_ーのと])(?<![{_ANY_KANJI}])[{_ANY_KANJI}](?![{_ANY_KANJI}0-9])"
    rf"|(?<![{_ANY_KANJI}0-9])[{_ANY_KANJI}](?=[^\W0-9_ーのと])(?![{_ANY_KANJI}])"
)
_LETTERS_AS_DIGITS = str.maketrans("OoIl|", "00111")

_SOME_KANJI = re.compile(f"[{_ANY_KANJI}]")

# Separators of two digits of one number: anything that is no letter and no digit, and the little words and
# marks with which people separate digits when they dictate.
_GAP = r"(?:[\W_]|[ーのと])"
_STRETCH = re.compile(rf"\+?[0-9](?:{_GAP}*[0-9])*")
_INTERRUPTED = re.compile(r"[0-9](?:[^0-9]?[0-9])*")
# Without a look ahead: it would fail behind a long run, and the run would be read again from each of its characters.
_LETTERED = re.compile(rf"(?<![^\W0-9_OoIl])\+?[0-9OoIl|](?:{_GAP}*[0-9OoIl|])*+")
_LETTER = re.compile(r"[^\W0-9_OoIl]")

_SUSPICIOUS_RUN = re.compile(r"[0-9](?:(?:[ \t　\-‐‑‒–—−ー・.,_/]{0,3}|[のと])[0-9])*")
# Groups of one number may be as far apart as "次の4けたは、裏に書いてある" is long.
_FARTHEST = 32
_GROUP = re.compile("[0-9]+")
_LETTER_AS_DIGIT = re.compile("(?<=[0-9])[OoIl|](?=[0-9])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])(?=[A-Za-z0-9+/]{0,40}[a-z])[A-Za-z0-9+/]{16,64}={0,2}(?![A-Za-z0-9+/=])")

_RESIDENCE_CARD = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{8}[A-Z]{2}(?![A-Z0-9])")
_PASSPORT = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{7}(?![A-Z0-9])")
_SPACED = re.compile(r"(?<=[A-Z0-9])[\s\-‐‑‒–—−ー・.]+(?=[A-Z0-9])")
_MACHINE_READABLE = re.compile(r"[A-Z0-9<]{0,44}<<[A-Z0-9<]{0,44}")


def forbidden(text: str) -> LooksLike | None:
    """Return the kind of number or passcode that the text appears to hold; None when it may be stored.

    A text of more than LONGEST characters is TOO_LONG. Below that the work is linear in the length of the text. Nothing
    hides a digit: NFKC, other scripts' digits, circled and kanji digits, digit words, zero-width characters, HTML and
    URL escapes are resolved, and groups that stand apart are counted together.
    """
    if len(text) > LONGEST:
        return LooksLike.TOO_LONG
    if _is_plain(text):
        return None
    return forbidden_at_length(text)


def _is_plain(text: str) -> bool:
    """Return quickly that a text holds nothing to look for: names, rooms, dates and telephone numbers of a sheet."""
    if not _WORDS.fullmatch(text) or len(_DIGIT.findall(text)) >= SUSPICIOUS or _UNIT.search(text):
        return _DATE.fullmatch(text) is not None
    if _NAMES_SECRET.search(text):
        return False
    if len(text) < _FEWEST_LETTERS:
        return True
    lower = text.lower()
    return not (secrets.may_name_secret(lower) or digit_words.may_hold_words(lower) or _MAY_BE_BASE64.search(text))


def forbidden_at_length(text: str) -> LooksLike | None:
    """Return what forbidden() returns, without its shortcuts and of any length; the caller bounds it."""
    return _first_in(text, joins=True)


def forbidden_in_running_text(text: str) -> LooksLike | None:
    """Return what forbidden() returns of a text that we wrote ourselves, such as a log or the address of a page.

    It holds many digits that are ours, so that groups with words between them are no number there.
    """
    return _first_in(text, joins=False)


def _first_in(text: str, *, joins: bool) -> LooksLike | None:
    for seen in _as_seen(text):
        # One character may be folded to eighteen.
        too_long = len(seen) > 2 * len(text) + LONGEST
        found = LooksLike.TOO_LONG if too_long else _forbidden_in(seen, joins=joins)
        if found is not None:
            return found
    return None


def forbidden_in_record(fields: Iterable[str | None]) -> LooksLike | None:
    """Return the kind of number or passcode that the free fields of one record hold together.

    Each field has been checked alone. Of digits that nothing explains, twelve are a number however they are divided; a
    field's word makes a passcode of another's digits. A number that stands in two fields, as a room does, counts once.
    """
    texts = [text for text in fields if text]
    together = "\n".join(texts)
    if len(together) > LONGEST:
        return LooksLike.TOO_LONG
    lower = together.lower()
    is_short = sum(map(str.isnumeric, together)) < LONG and not _UNIT.search(together)
    if is_short and not secrets.may_name_secret(lower) and not digit_words.may_hold_words(lower):
        return None
    seen = [_plain(text) for text in texts]
    secret = secrets.passcode_or_insurance("\n".join(seen))
    if secret is not None:
        return LooksLike.PASSCODE if secret is secrets.Secret.PASSCODE else LooksLike.INSURANCE_NUMBER
    if len(together) < LONG:
        return None
    groups: dict[str, None] = {}
    for text in seen:
        groups.update(dict.fromkeys(_GROUP.findall(ordinary.mask(digit_words.with_digits(text)))))
    digits = "".join(groups)
    if len(digits) < LONG and digit_words.may_hold_words(lower):
        # Words that only are a run of digits beside those of another field.
        digits = max(_GROUP.findall(digit_words.with_digits(" ".join(seen))), key=len, default="")
    return _name_of(digits) if len(digits) >= LONG else None


def forbidden_in_a_date_or_phone(text: str) -> LooksLike | None:
    """Return what forbidden() returns, but accept up to eleven digits.

    They are a date or a telephone number there, perhaps a mistyped one.
    """
    if len(text) > LONGEST:
        return LooksLike.TOO_LONG
    if _DATE_OR_PHONE.fullmatch(text) and len(_DIGIT.findall(text)) < LONG:
        return None
    found = forbidden(text)
    return None if found in (LooksLike.LONG_DIGITS, LooksLike.INSURANCE_NUMBER) else found


def long_number(text: str) -> LooksLike | None:
    """Return only numbers of twelve digits or more, also beside a passcode word.

    It is for texts that may well hold fewer digits, such as an e-mail address.
    """
    if len(text) > LONGEST:
        return LooksLike.TOO_LONG
    if text.isascii() and not _ESCAPING.search(text) and len(_DIGIT_LIKE.findall(text)) < LONG:
        lower = text.lower()
        if not digit_words.may_hold_words(lower):
            return None
    for seen in _as_seen(text):
        read = digit_words.with_digits(seen)
        masked = ordinary.mask_dates(read)
        found = _long_number_in(seen, read, masked) or _joined_number(masked, farthest=len(masked))
        if found is not None:
            return found
    return None


def number_in_random_id(text: str) -> LooksLike | None:
    """Return a My Number that is written into an id of random digits and letters a to f.

    One such id in forty has twelve digits in a row, but one in four hundred has a My Number's check digit there.
    Zeros before a short number are padding: of a million My Numbers one begins with six of them.
    """
    for run in _GROUP.finditer(text):
        for start in range(len(run[0]) - LONG + 1):
            digits = run[0][start : start + LONG]
            if not digits.startswith("000000") and _has_my_number_check(digits):
                return LooksLike.MY_NUMBER
    return None


# The characters of most cells. None of them is a digit outside _DIGIT, an escape, or invisible.
_WORDS = re.compile(r"[ -$'-;=?@\[\]_A-Za-z　、。々ぁ-ゖァ-ヺー・一-龥０-９（）～〇]*+")
_DIGIT = re.compile(f"[0-9０-９{_ANY_KANJI}]")
_UNIT = re.compile("[十拾百千万萬]")
# The shortest text that can hold a secret word with a code, or six digits in words.
_FEWEST_LETTERS = 6
_NAMES_SECRET = re.compile("[暗記]|[パピぱぴ][スすンん]|[Pp][AaIi]")
_MAY_BE_BASE64 = re.compile(r"[A-Za-z0-9+/]{16}")
_DATE_OR_PHONE = re.compile(r"[RHSTrhst+]?[0-9 ()./:年月日令和平成昭元-]*+")
# Escapes, and characters that may represent a digit.
_ESCAPING = re.compile(r"[&%\\]")
_DIGIT_LIKE = re.compile(r"[0-9OoIl|]")


def _as_seen(text: str) -> Iterator[str]:
    """Yield the text with plain digits, unchanged and with its escapes resolved."""
    if "&" in text or "%" in text or "\\" in text:
        yield _plain(_SLASHED.sub(_unslashed, unquote(unescape(text))))
    yield _plain(text)


_SLASHED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})")


def _unslashed(escape: re.Match[str]) -> str:
    r"""Return the character of \u0031, \u{31}, or the bytes of UTF-8 as \xef\xbc\x91."""
    if code := escape[1] or escape[2]:
        return chr(min(int(code, 16), 0x10FFFF))
    return bytes.fromhex(escape[0].replace("\\x", "")).decode("utf-8", "replace")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", "".join(map(_digit_or_itself, text)))
    return "".join(map(_seen, folded))


@lru_cache(maxsize=8192)
def _digit_or_itself(character: str) -> str:
    digit = unicodedata.digit(character, None)
    if digit is None and unicodedata.category(character) == "Nl" and character != "〇":
        # Roman and other numerals that are one character: Ⅳ, 〤.
        value = unicodedata.numeric(character)
        digit = int(value) if value in range(10) else None
    return character if digit is None or character.isascii() else str(digit)


@lru_cache(maxsize=8192)
def _seen(character: str) -> str:
    # Format characters, enclosing and combining marks, variation selectors and tags are invisible to a reader.
    return (
        ""
        if unicodedata.category(character) in ("Cf", "Me", "Mn", "Cc", "Cn", "Co") and character not in "\n\r\t"
        else character
    )


def _forbidden_in(text: str, *, joins: bool = True) -> LooksLike | None:
    secret = secrets.passcode_or_insurance(text)
    if secret is not None:
        return LooksLike.PASSCODE if secret is secrets.Secret.PASSCODE else LooksLike.INSURANCE_NUMBER
    read = digit_words.with_digits(text)
    masked = ordinary.mask(read)
    return (
        _long_number_in(text, read, masked)
        or (_joined_number(masked) if joins else None)
        or _encoded_number(text)
        or _suspicious_digits(read, masked)
    )


def _long_number_in(text: str, read: str, masked: str) -> LooksLike | None:
    """Return twelve digits or more that stand together; `read` is the text with digits for words, `masked` masked."""
    found = _long_number(read, masked) or _lettered_number(text, masked if read == text else ordinary.mask(text))
    if found is None and _SOME_KANJI.search(text):
        every, named = text.translate(_KANJI), _NAME_KANJI.sub("　", text).translate(_KANJI)
        found = _long_number(every, ordinary.mask(every), ordinary.mask(named))
        masked_every = ordinary.mask(every)
        return found or _interrupted_number(masked) or _interrupted_number(masked_every)
    return found or _interrupted_number(masked)


def _digits(text: str) -> str:
    return "".join(character for character in text if "0" <= character <= "9")


def _long_number(text: str, masked: str, named: str | None = None) -> LooksLike | None:
    """Return a run of twelve digits or more with any separators, unless all of them are ordinary.

    Dates and telephone numbers may stand side by side, but one cannot cover the remaining digits of another. `named`:
    the masked text in which the end or the beginning of a name is no digit.
    """
    for stretch in _STRETCH.finditer(text):
        digits = _digits(stretch[0])
        if len(digits) < LONG:
            continue
        place = slice(*stretch.span())
        if _digits(masked[place]) and (named is None or _digits(named[place])):
            return _name_of(digits)
    return None


def _lettered_number(text: str, masked: str) -> LooksLike | None:
    """Return twelve digits of which a few are written as similar letters."""
    for stretch in _LETTERED.finditer(text):
        if _LETTER.match(text, stretch.end()):
            continue
        digits = _digits(stretch[0].translate(_LETTERS_AS_DIGITS))
        if (
            len(digits) >= LONG
            and len(_digits(stretch[0])) * 2 > len(digits)
            and _digits(masked[slice(*stretch.span())])
        ):
            return _name_of(digits)
    return None


def _interrupted_number(masked: str) -> LooksLike | None:
    """Return twelve digits or more with at most one letter between any two, outside ordinary digits."""
    for stretch in _INTERRUPTED.finditer(masked):
        digits = _digits(stretch[0])
        if len(digits) >= LONG:
            return _name_of(digits)
    return None


def _joined_number(masked: str, *, farthest: int = _FARTHEST) -> LooksLike | None:
    """Return twelve digits or more in groups with words between them, of digits that nothing explains."""
    digits, end = "", -farthest
    for group in _GROUP.finditer(_LETTER_AS_DIGIT.sub("0", masked)):
        digits = digits + group[0] if group.start() - end <= farthest else group[0]
        end = group.end()
        if len(digits) >= LONG:
            return _name_of(digits)
    return None


def _encoded_number(text: str) -> LooksLike | None:
    """Return twelve digits or more that are written in Base64."""
    for token in _BASE64.finditer(text):
        try:
            decoded = b64decode(token[0].rstrip("=") + "=" * (-len(token[0].rstrip("=")) % 4))
        except ValueError:
            continue
        digits = _digits(decoded.decode("latin-1"))
        if len(digits) >= LONG and 2 * len(digits) > len(decoded):
            return _name_of(digits)
    return None


def _suspicious_digits(read: str, masked: str) -> LooksLike | None:
    """Return six to eleven digits that nothing explains, and numbers that begin with letters."""
    capitals = _SPACED.sub("", ordinary.mask_plain(read).upper())
    for machine in _MACHINE_READABLE.finditer(capitals):
        if len(machine[0]) >= LONG:
            return LooksLike.MACHINE_READABLE_ZONE
    if _RESIDENCE_CARD.search(capitals):
        return LooksLike.RESIDENCE_CARD_NUMBER
    if _PASSPORT.search(capitals):
        return LooksLike.PASSPORT_NUMBER
    for stretch in _SUSPICIOUS_RUN.finditer(masked):
        digits = _digits(stretch[0])
        if len(digits) >= SUSPICIOUS:
            return LooksLike.INSURANCE_NUMBER if len(digits) == 8 else LooksLike.LONG_DIGITS
    return None


def _name_of(digits: str) -> LooksLike:
    """Return the kind that a refusal names; whether the text is refused does not depend on it."""
    if len(digits) == 12 and _has_my_number_check(digits):
        return LooksLike.MY_NUMBER
    if len(digits) == 12 and _has_licence_check(digits):
        return LooksLike.LICENCE_NUMBER
    if len(digits) == 13 and _has_corporate_check(digits):
        return LooksLike.CORPORATE_NUMBER
    return LooksLike.APPLICATION_ID if len(digits) == 23 else LooksLike.LONG_NUMBER


def _has_my_number_check(digits: str) -> bool:
    """Return whether the check digit is that of a My Number.

    Source: 行政手続における特定の個人を識別するための番号の検査用数字 (2014 省令 85), 第五条.
    """
    weights = (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)
    rest = sum(int(digit) * weight for digit, weight in zip(reversed(digits[:11]), weights, strict=True)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def _has_licence_check(digits: str) -> bool:
    """Return whether the eleventh digit is that of a driving licence, from the first ten (unofficial)."""
    weights = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(int(digit) * weight for digit, weight in zip(digits[:10], weights, strict=True)) % 11
    return int(digits[10]) == (11 - rest) % 10


def _has_corporate_check(digits: str) -> bool:
    """Return whether the check digit is that of a 法人番号. Source: python-stdnum's jp.cn."""
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits[1:])))
    return int(digits[0]) == 9 - total % 9
