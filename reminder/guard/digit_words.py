"""Digits that are written as words: in kana, kanji, Latin script (Japanese) and English, alone or mixed with digits.

The result is the same text with those words as digits. Only runs of several such words are numbers: に, さん and one
also are ordinary words. Every pattern takes each character once.
"""

import re
from collections.abc import Iterator, Sequence

# In the order of alternatives: a longer word before its own beginning. Values: digit, or 10, 100, 1000, 10000.
_KANA = {
    "ぜーろ": 0, "ぜろ": 0, "れい": 0, "まる": 0, "いち": 1, "いっ": 1, "ひと": 1, "ふた": 2, "に": 2, "さん": 3,
    "よん": 4, "ご": 5, "ろく": 6, "ろっ": 6, "なな": 7, "しち": 7, "し": 4, "はち": 8, "ぱち": 8, "はっ": 8,
    "きゅう": 9, "きゆう": 9, "きゅ": 9, "く": 9, "じゅう": 10, "じゅっ": 10, "じっ": 10, "ひゃく": 100,
    "びゃく": 100, "ぴゃく": 100, "せん": 1000, "ぜん": 1000, "まん": 10000,
    # English in kana, and counting as children do.
    "わん": 1, "つー": 2, "とぅ": 2, "すりー": 3, "ふぉー": 4, "ふぉあ": 4, "ふぁいぶ": 5, "しっくす": 6, "せぶん": 7,
    "せゔん": 7, "えいと": 8, "ないん": 9, "ひとつ": 1, "ふたつ": 2, "みっつ": 3, "よっつ": 4, "いつつ": 5,
    "むっつ": 6, "ななつ": 7, "やっつ": 8, "ここのつ": 9,
}  # fmt: skip
# Words that hardly mean anything else; the others only count beside them.
_SURE_KANA = frozenset(
    {"ぜろ", "ぜーろ", "れい", "いち", "よん", "ろく", "なな", "しち", "はち", "きゅう", "きゆう", "きゅ"}
    | {"すりー", "ふぉー", "ふぁいぶ", "しっくす", "せぶん", "せゔん", "えいと", "ないん"}
    | {"みっつ", "よっつ", "いつつ", "むっつ", "ななつ", "やっつ", "ここのつ"}
)
_LATIN = {
    "zero": 0, "rei": 0, "maru": 0, "oh": 0, "o": 0, "nought": 0, "ichi": 1, "one": 1, "two": 2, "three": 3,
    "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
    "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000, "ni": 2, "nii": 2, "san": 3,
    "yon": 4, "shi": 4, "si": 4, "go": 5, "goo": 5, "roku": 6, "nana": 7, "shichi": 7, "siti": 7, "hachi": 8,
    "hati": 8, "kyuu": 9, "kyu": 9, "kyū": 9, "ku": 9, "juu": 10, "ju": 10, "jū": 10, "hyaku": 100,
    "sen": 1000, "double": -1,
}  # fmt: skip
_SURE_LATIN = frozenset(
    {
        "zero", "three", "four", "five", "six", "seven", "eight", "nine", "ichi", "yon", "roku", "nana",
        "shichi", "siti", "hachi", "hati", "kyuu", "kyu", "kyū", "forty", "fourty", "fifty", "sixty",
        "seventy", "eighty", "ninety", "twenty", "thirty",
    }
)  # fmt: skip
# They stand between digit words and separate them.
_BETWEEN_LATIN = frozenset({"and", "no", "to", "dash", "hyphen", "then", "minus", "space", "next", "tsugi", "haifun"})

_GAP = r"[ \t\n　、,・\-‐‑‒–—−ー〜~。.．/／_のと]{0,3}+"
_LONGEST_FIRST = sorted(_KANA, key=len, reverse=True)
_FIRST_KANA = "[" + "".join(sorted({word[0] for word in _KANA})) + "0-9]"


def _by_first(words: Sequence[str]) -> str:
    """Return alternatives in which few are tried: by their first letter, in each group in their order."""
    rests: dict[str, list[str]] = {}
    for word in words:
        rests.setdefault(word[0], []).append(word[1:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" if rest != [""] else first for first, rest in rests.items())


_ANY_KANA = _by_first(_LONGEST_FIRST)
_KANA_RUN = re.compile(rf"(?:(?={_FIRST_KANA})(?:{_ANY_KANA}|[0-9])ー*+{_GAP})++")
_KANA_WORD = re.compile(f"{_ANY_KANA}|[0-9]")
_LATIN_WORDS = "|".join(sorted(_LATIN, key=len, reverse=True))
_LATIN_TOKEN = re.compile(r"[a-zū]++|[0-9]++|[^a-zū0-9]++")
_ONLY_NUMBERS = re.compile(rf"(?:{_LATIN_WORDS})++")
_LATIN_WORD = re.compile(_LATIN_WORDS)
_SURE_KANA_WORD = re.compile("|".join(sorted(_SURE_KANA)))
_SURE_LATIN_WORD = re.compile("|".join(sorted(_SURE_LATIN)))
_FARTHEST = 4  # characters between two digit words in Latin script

_HIRAGANA = {place: place - 0x60 for place in range(ord("ァ"), ord("ヷ"))}
_KANJI_DIGITS = {
    kanji: digit
    for digit, kanjis in enumerate(
        ("〇零", "一壱壹", "二弐貳", "三参參", "四肆", "五伍", "六陸", "七漆", "八捌", "九玖")
    )
    for kanji in kanjis
}
_KANJI_UNITS = {"十": 10, "拾": 10, "百": 100, "千": 1000, "万": 10000, "萬": 10000}
_KANJI = "".join((*_KANJI_DIGITS, *_KANJI_UNITS))
_KANJI_RUN = re.compile(f"[{_KANJI}○◯]++(?:[のと、・ ][{_KANJI}○◯]++)*+")
_KANJI_GAP = re.compile("([のと、・ ])")
_HAS_KANJI = re.compile(f"[{_KANJI}]")

# Runs of at least so many words are numbers.
FEWEST_WORDS = 4


def may_hold_words(text: str) -> bool:
    """Return quickly whether the text may hold digit words; in half width and in small letters."""
    folded = text.translate(_HIRAGANA)
    if _SURE_KANA_WORD.search(folded) and _MAY_HOLD_KANA.search(folded):
        return True
    return _SURE_LATIN_WORD.search(text) is not None and _MAY_HOLD_LATIN.search(text) is not None


_MAY_HOLD_KANA = re.compile(rf"(?:(?={_FIRST_KANA})(?:{_ANY_KANA}|[0-9])ー*+{_GAP}){{4}}")
_MAY_HOLD_LATIN = re.compile(rf"(?:(?=[a-z0-9])(?:{_LATIN_WORDS}|[0-9]{{1,4}})[^a-z0-9]{{0,4}}+){{4}}")


def with_digits(text: str, *, is_beside_secret: bool = False) -> str:
    """Return the text with digits for its digit words.

    `text` in half width. `is_beside_secret`: the text names a passcode, so that fewer sure words are needed.
    """
    sure = 1 if is_beside_secret else 2
    return _kana(_latin(_kanji(text)), sure)


def _kanji(text: str) -> str:
    """Return the text with digits for its kanji numbers of two characters or more: 四九三八 and 四千九百三十八."""
    return _KANJI_RUN.sub(_kanji_number, text) if _HAS_KANJI.search(text) else text


def _kanji_number(run: re.Match[str]) -> str:
    parts = _KANJI_GAP.split(run[0])
    numbers = parts[::2]
    if len(numbers) >= FEWEST_WORDS and all(one in _KANJI_DIGITS or one in "○◯" for one in numbers):
        return "".join(
            str(_KANJI_DIGITS.get(sign, 0)) if sign in "○◯" or sign in _KANJI_DIGITS else sign for sign in run[0]
        )
    read = ["" if set(one) <= {"○", "◯"} else _one_kanji_number(one) for one in numbers]
    # 四百五十四 beside 四千九百三十八 is 0454.
    is_positional = [any(sign in _KANJI_UNITS for sign in one) for one in numbers]
    if sum(one and len(number) == 4 for one, number in zip(is_positional, read, strict=True)) > 1:
        read = [number.zfill(4) if one and number else number for one, number in zip(is_positional, read, strict=True)]
    return "".join(
        (number or written) + (parts[2 * place + 1] if 2 * place + 1 < len(parts) else "")
        for place, (number, written) in enumerate(zip(read, numbers, strict=True))
    )


def _one_kanji_number(written: str) -> str:
    """Return the digits of one number, "" if it is no number: 千 of 千葉, 三 of 三浦."""
    values = [0 if sign in "○◯" else _KANJI_DIGITS.get(sign, _KANJI_UNITS.get(sign, 0)) for sign in written]
    if len(values) < 2 or all(value >= 10 for value in values):
        return ""
    return _joined(values)


def _kana(text: str, sure: int) -> str:
    folded = text.translate(_HIRAGANA)
    if not _SURE_KANA_WORD.search(folded):
        return text
    kept, end = [], 0
    for run in _KANA_RUN.finditer(folded):
        words = _KANA_WORD.findall(run[0])
        spoken = [word for word in words if not word.isdecimal()]
        digits = [word for word in spoken if _KANA[word] < 10]
        certain = sum(word in _SURE_KANA for word in digits)
        if len(digits) < 2 or len(words) < FEWEST_WORDS or certain < sure:
            continue
        # In a long run fewer need to be sure.
        if sure > 1 and certain * (3 if len(digits) >= 2 * FEWEST_WORDS else 2) < len(digits):
            continue
        body = run[0].rstrip(" \t\n　、,・-‐‑‒–—−ー〜~。.．/／_のと")
        kept += [
            text[end : run.start()],
            _joined([_KANA.get(word, -2) if not word.isdecimal() else int(word) for word in words]),
        ]
        end = run.start() + len(body)
    return "".join([*kept, text[end:]]) if kept else text


def _latin(text: str) -> str:
    lower = text.lower()
    if len(lower) != len(text) or not _SURE_LATIN_WORD.search(lower) or not _MAY_HOLD_LATIN.search(lower):
        return text
    kept, end = [], 0
    for start, stop, values in _latin_runs(lower):
        kept += [text[end:start], _joined(values)]
        end = stop
    return "".join([*kept, text[end:]]) if kept else text


def _latin_runs(lower: str) -> Iterator[tuple[int, int, Sequence[int]]]:
    """Yield the begin, the end and the values of each run of number words and digits in Latin script."""
    start = stop = 0
    values: list[int] = []
    words = certain = 0
    for token in _LATIN_TOKEN.finditer(lower):
        said = token[0]
        found: list[str] = []
        if said[0].isalpha() and _ONLY_NUMBERS.fullmatch(said):
            found = _LATIN_WORD.findall(said)
        is_digits = said[0].isdecimal()
        is_between = said in _BETWEEN_LATIN or (not said[0].isalnum() and len(said) <= _FARTHEST)
        if found or is_digits:
            if not values:
                start = token.start()
            values += [_LATIN[word] for word in found] if found else [int(digit) for digit in said]
            words += len(found)
            certain += sum(word in _SURE_LATIN for word in found)
            stop = token.end()
        elif not is_between:
            if _is_number(words, certain, values):
                yield start, stop, values
            values, words, certain = [], 0, 0
    if _is_number(words, certain, values):
        yield start, stop, values


def _is_number(words: int, certain: int, values: Sequence[int]) -> bool:
    if words < 2 or len(values) < FEWEST_WORDS or certain < 2:
        return False
    # In a long run fewer need to be sure.
    return certain * (3 if words >= 2 * FEWEST_WORDS else 2) >= words


def _joined(values: Sequence[int]) -> str:
    """Return the digits of numbers that are said one after the other: 4, 9, 3, 8, and 4, 1000, 9, 100, 30, 8."""
    numbers: list[str] = []
    is_positional: list[bool] = []
    total: int | None = None  # of the number that is being said
    pending: int | None = None  # its last digit, which a unit may follow
    unit = 0  # its last unit; a smaller part may follow

    def close() -> None:
        nonlocal total, pending, unit
        if total is not None or pending is not None:
            numbers.append(str((total or 0) + (pending or 0)))
            is_positional.append(total is not None and total >= 100)
        total, pending, unit = None, None, 0

    for value in values:
        if value < 0:
            continue
        if value < 10:
            if pending is not None or (total is not None and (unit < 10 or value == 0)):
                close()
            pending = value
        elif value in (10, 100, 1000, 10000):
            if value == 10000 and (total or pending):
                total, pending, unit = ((total or 0) + (pending or 0)) * value, None, value
                continue
            if total is not None and value >= unit:
                kept, pending = pending, None
                close()
                pending = kept
            total, pending, unit = (total or 0) + (1 if pending is None else pending) * value, None, value
        else:
            # Sixteen or seventy: a number by itself, or the end of one with hundreds. A digit may follow seventy.
            if pending is not None or (total is not None and unit < 100):
                close()
            total, unit = (total or 0) + value, 10 if value >= 20 else 1
    close()
    if sum(one and len(number) == 4 for one, number in zip(is_positional, numbers, strict=True)) > 1:
        # Four hundred and fifty-four beside two numbers of four digits is 0454.
        numbers = [number.zfill(4) if one else number for one, number in zip(is_positional, numbers, strict=True)]
    return "".join(numbers)
