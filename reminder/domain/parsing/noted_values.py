"""Telephone numbers and names as people write them in one cell: with a relation, a reading, a title, a second one."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from reminder.domain.parsing.whereabouts import standing_of

LONGEST = 60
_DASHES = re.compile("[‐‒–—―−ー]")
# Ten to eleven digits with marks between them, in one look.
_NUMBER = re.compile(r"\+?(?:81[- ]?)?\(?[0-9]{1,5}\)?[- ]?\(?[0-9]{1,4}\)?[- ]?[0-9]{3,4}")
# Of a number that is written without the country's code.
_FEWEST, _MOST = 9, 11
_DIGITS = re.compile("[0-9]")
RELATIONS = (
    *(
        "長女",
        "次女",
        "三女",
        "四女",
        "長男",
        "次男",
        "三男",
        "四男",
        "二女",
        "二男",
        "娘",
        "息子",
        "妻",
        "夫",
        "配偶者",
        "子",
    ),
    *(
        "孫",
        "姪",
        "甥",
        "姉",
        "妹",
        "兄",
        "弟",
        "母",
        "父",
        "嫁",
        "婿",
        "家族",
        "親族",
        "後見人",
        "保佐人",
        "補助人",
        "身元引受人",
    ),
    *("daughter", "son", "wife", "husband", "niece", "nephew", "sister", "brother", "family", "guardian"),
)


@dataclass(frozen=True)
class NotedNumbers:
    """The telephone numbers in a cell as they are written, and the relation that stands beside them, "" for none."""

    numbers: Sequence[str]
    relation: str


def read_noted_numbers(text: str) -> NotedNumbers:
    """Return the numbers in a cell that holds more than one number alone; none where it holds something else."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text[: 2 * LONGEST]))
    if len(plain) > LONGEST:
        return NotedNumbers((), "")
    written = [one[0] for one in _NUMBER.finditer(plain)]
    if any(len(_DIGITS.findall(one)) > _MOST and not one.startswith("+") for one in written):
        return NotedNumbers((), "")
    found = [one for one in written if len(_DIGITS.findall(one)) >= _FEWEST]
    rest = _NUMBER.sub(" ", plain)
    # Digits that are left over may be the rest of a number.
    if len(_DIGITS.findall(rest)) > 3:
        return NotedNumbers((), "")
    return NotedNumbers(found, relation_in(rest))


def relation_in(text: str) -> str:
    """Return the relation that a text names first, "" for none."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).lower()
    places = [(plain.find(word), -len(word), word) for word in RELATIONS if word in plain]
    return min(places)[2] if places else ""


_KANA = "ぁ-ゖァ-ヺーｦ-ﾟ・ 　"
_READING = re.compile(rf"[（(\[［]([{_KANA}]{{1,30}})[)）\]］]\s?$")
_NOTE = re.compile(r"[（(【〔]([^（()）【】〔〕]{1,20})[)）】〕]")
_ALL_KANA = re.compile(rf"[{_KANA}]{{1,40}}")
_TITLES = ("様", "さま", "殿")


def _unless_standing(note: re.Match[str]) -> str:
    return "" if standing_of(note[1]) is not None else note[0]


def name_alone(text: str) -> str:
    """Return the name in a cell without its reading, a title such as 様, and （退所） and the like behind it.

    A name is never emptied, and one of kana alone keeps them.
    """
    lines = [line.strip() for line in text[:200].splitlines() if line.strip()]
    if len(lines) == 2:  # the reading stands above or below the name
        of_kana = [line for line in lines if _ALL_KANA.fullmatch(line.strip("（()）"))]
        lines = [line for line in lines if line not in of_kana] if len(of_kana) == 1 else lines
    name = " ".join(" ".join(lines).split())
    name = _READING.sub("", name).strip() or name
    name = _NOTE.sub(_unless_standing, name).strip() or name
    name = name.removeprefix("故 ").removeprefix("故・").strip() or name
    for title in _TITLES:
        shorter = name.removesuffix(title).strip()
        # 殿 and 様 may be a part of a name of two characters.
        if len(shorter) >= 2:
            name = shorter
    return name
