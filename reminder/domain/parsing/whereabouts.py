"""Words in a sheet that say that somebody is not in the home any more, or not now, or that a room is empty."""

import re
import unicodedata
from enum import StrEnum

from reminder.domain.parsing.cell_words import CellWord, read_word

# Longer texts are searched so far.
LONGEST = 1_000


class SheetAbsence(StrEnum):
    """Where a person of a sheet is, if not in the home. The value is the code of the finding."""

    LEFT = "has_left"
    DIED = "has_died"
    AWAY = "in_hospital"
    EMPTY = "room_empty"


_DIED = ("逝去", "死亡", "死去", "他界", "永眠", "亡くな", "故人", "看取り済", "deceased", "died", "passed away")
_LEFT = (
    *(
        "退所",
        "退去",
        "退居",
        "退寮",
        "退館",
        "退会",
        "転出",
        "転居",
        "転所",
        "契約終了",
        "契約解除",
        "利用終了",
        "利用中止",
    ),
    *("入所終了", "moved out", "discharged", "has left"),
)
_AWAY = ("入院中", "外泊中", "一時帰宅", "in hospital")
_AWAY_ALONE = frozenset({"入院", "外泊", "不在", "長期入院", "入院(長期)", "hospital", "ショートステイ中"})
_EMPTY = frozenset({"空室", "空床", "空き", "空き室", "空部屋", "空き部屋", "空", "欠", "欠番", "vacant", "empty"})
_DEAD_BEFORE = re.compile(r"故(?:[\s・.]|(?=[^\s人]{2,}\s))")
# What a planned or denied event is written with.
_NOT_SO = re.compile(r"(?:なし|無し|予定なし|取消|取りやめ|キャンセル|未定)$")


def standing_of(text: str) -> SheetAbsence | None:
    """Return what a cell says of where somebody is; None where it says nothing of the kind.

    A word in a longer text counts too, because it only makes somebody ask.
    """
    said = unicodedata.normalize("NFKC", text[:LONGEST]).strip().lower()
    if not said or _NOT_SO.search(said):
        return None
    bare = said.strip("()[]【】「」<>〔〕 ")
    if bare in _EMPTY:
        return SheetAbsence.EMPTY
    for standing, words in ((SheetAbsence.DIED, _DIED), (SheetAbsence.LEFT, _LEFT), (SheetAbsence.AWAY, _AWAY)):
        if any(word in said for word in words):
            return standing
    return SheetAbsence.AWAY if bare in _AWAY_ALONE else None


def standing_of_name(text: str) -> SheetAbsence | None:
    """Return what a cell with a name says of where somebody is, also as 故 before it."""
    if _DEAD_BEFORE.match(unicodedata.normalize("NFKC", text[:LONGEST]).strip()):
        return SheetAbsence.DIED
    return standing_of(text)


def standing_by_day(heading: str, text: str) -> SheetAbsence | None:
    """Return what a day says in a column of the days on which people left; None for a cell that holds nothing."""
    if not text.strip() or read_word(text) in (CellWord.NONE, CellWord.NOT_KNOWN):
        return None
    return SheetAbsence.DIED if any(word in heading for word in ("死亡", "逝去", "death")) else SheetAbsence.LEFT
