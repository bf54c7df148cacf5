"""Words and periods that stand in the cells of a sheet in place of one date: none, ended, applied for, not known."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from reminder.domain.parsing import dates
from reminder.errors import DateError

# Longer texts are sentences.
LONGEST = 60


class CellWord(StrEnum):
    """The meaning of a word in place of a value."""

    NONE = "none"  # there is no such card, number or address
    ENDED = "ended"  # there was one: returned, lost, lapsed
    PERMANENT = "permanent"  # it does not end
    APPLIED = "applied"  # a new one has been applied for
    NOT_KNOWN = "not_known"
    DITTO = "ditto"  # as in the row above


@dataclass(frozen=True)
class Period:
    """The days from which and to which something is valid."""

    first: date
    last: date


# In the form that _folded() returns. A whole cell of these marks means that there is nothing.
_MARKS = re.compile(r"[-ー―—─–‐‑‒−_~.・/\\×✕✖x]{1,8}")
_DITTO = frozenset(
    ("〃", "々", '"', "''", "′′", "仝", "同上", "同じ", "上に同じ", "上と同じ", "ditto", "↑", "↓", "同")
)  # fmt: skip
_NONE = frozenset(
    (
        *("なし", "無し", "無", "ナシ", "無い", "ない", "ありません", "該当なし", "非該当", "対象外", "不要", "不所持"),
        *("未", "未取得", "未作成", "未交付", "未申請", "未登録", "未発行", "未所持", "未加入", "持っていない"),
        *("もっていない", "none", "no", "n/a", "na", "nil", "not issued"),
    )
)
_ENDED = (
    *("返納", "返却", "返還", "紛失", "失効", "廃止", "喪失", "期限切", "破棄", "盗難", "亡失"),
    *("lost", "returned", "expired"),
)
_PERMANENT = (
    *("無期限", "永久", "期限なし", "期限無し", "終身", "無制限", "更新不要"),
    *("permanent", "no expiry", "indefinite"),
)
_APPLIED = (
    *("更新中", "申請中", "申請済", "手続中", "手続き中", "手続済", "交付中", "交付待ち", "発行待ち", "受取待ち"),
    *("認定待ち", "変更中", "再発行中", "applied", "in renewal"),
)
_NOT_KNOWN = (
    *("不明", "未確認", "確認中", "未定", "不詳", "要確認", "後日", "わからない", "分からない", "持って", "?"),
    *("本人管理", "家族管理", "家族保管", "本人保管", "unknown", "tbd"),
)
# In this order.
_IN_TEXT: Mapping[CellWord, Sequence[str]] = {
    CellWord.PERMANENT: _PERMANENT,
    CellWord.APPLIED: _APPLIED,
    CellWord.ENDED: _ENDED,
    CellWord.NOT_KNOWN: _NOT_KNOWN,
}
_NONE_AT_END = ("なし", "無し", "ナシ", "未取得", "対象外")


def read_word(text: str) -> CellWord | None:
    """Return the meaning of a cell that holds a word in place of a value; None for any other cell."""
    said = _folded(text)
    if not said or len(said) > LONGEST:
        return None
    if said in _DITTO:
        return CellWord.DITTO
    if _MARKS.fullmatch(said):
        return CellWord.NONE
    if any(map(str.isdigit, said)):
        return None
    bare = said.strip("()[]「」。. ")
    # The longer meanings first: 期限なし is no 無し, and 更新申請中 no 未申請.
    if bare in _NONE:
        return CellWord.NONE
    for meaning, words in _IN_TEXT.items():
        if any(word in bare for word in words):
            return meaning
    # カードなし, 携帯電話なし.
    return CellWord.NONE if bare.endswith(_NONE_AT_END) else None


# Between the two days of a period. A hyphen only where it can be no part of a date.
_TO = re.compile(r"[~〜～→]|から|至|\s-\s|-(?=[RHSrhs令平昭])")


def read_period(text: str) -> Period | None:
    """Return the period that a text such as R6.4.1～R9.3.31 names; None for any other text.

    Both days must be written in full: a year that the last one leaves out is not supplied.
    """
    if not 9 <= len(text) <= LONGEST:
        return None
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text))
    parts = [part.strip().removeprefix("自").strip() for part in _TO.split(plain)]
    parts = [part for part in parts if part]
    if len(parts) != 2:
        return None
    try:
        first, last = (dates.read_date(part) for part in parts)
    except DateError:
        return None
    return Period(first, last) if first < last else None


_DASHES = re.compile("[‐‒–—―−ー]")


def _folded(text: str) -> str:
    if len(text) > 2 * LONGEST:
        return ""
    return unicodedata.normalize("NFKC", text).strip().lower()
