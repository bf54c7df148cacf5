"""Parser of one row of a home's sheet: from cells to a resident and findings about the row.

The cells have passed the guard already, and none comes from a column of numbers.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from reminder.domain.model.imports import CARD, FORMULA, Finding, Level
from reminder.domain.model.people import ChannelName, ConsentHow, Mode
from reminder.domain.parsing import addresses, dates
from reminder.domain.parsing.days_before import read_days
from reminder.errors import DateError, RefusedInputError
from reminder.guard.numbers import forbidden_in_record
from reminder.guard.text import clean_label

LONGEST_LABEL, LONGEST_BY = 20, 40
FURTHEST_AHEAD = relativedelta(years=11)


@dataclass(frozen=True)
class RowCell:
    """A cell of a row, with its column, from 0."""

    place: int
    text: str


@dataclass(frozen=True)
class ResidentContact:
    """An address in a row. `place`: the column of its cell, from 0."""

    channel: ChannelName
    address: str
    is_family: bool
    place: int


@dataclass(frozen=True)
class RowConsent:
    """A consent that the home has recorded: how it was given, and on which day (in Japan)."""

    how: ConsentHow
    on: date


@dataclass(frozen=True)
class Resident:
    """A person as a row describes them.

    `cards`: the last valid day, by kind. `own_days`: days before the end for each of them, in place of the group's.
    """

    label: str
    reference: str | None
    room: str | None
    unit: str | None
    mode: Mode | None
    contacts: Sequence[ResidentContact]
    consent: RowConsent | None
    cards: Mapping[str, date]
    own_days: tuple[int, ...] = ()

    @property
    def identity(self) -> str:
        """The key by which the same resident is found in another row or another sheet."""
        return identity_of(self.label, self.room, self.reference)


def identity_of(label: str, room: str | None, reference: str | None = None) -> str:
    """Return the key of one resident of a home: the home's own reference, else the name with the room."""
    if reference:
        return f"reference\0{reference}"
    return f"label\0{label}\0{room or ''}"


def read_resident(
    cells: Mapping[str, RowCell], fields: Collection[str], known: Sequence[Finding], today: date
) -> tuple[Resident | None, list[Finding]]:
    """Return the resident of a row and all findings about it; the resident is None where any finding refuses.

    `cells`: by field. `fields`: all fields that the sheet has a column for. `known`: findings of earlier checks.
    `today`: the date in Japan.
    """
    row = _Row(cells, fields, today, list(known))
    label = row.name()
    resident = Resident(
        label,
        row.words("reference", most_digits=5),
        row.words("room", most_digits=5),
        row.words("unit"),
        row.mode(),
        row.contacts(),
        row.consent(),
        row.cards(),
        row.own_days(),
    )
    row.check_together(resident)
    is_refused = any(finding.level is Level.REFUSE for finding in row.found)
    return (None if is_refused else resident), row.found


class _Row:
    def __init__(
        self, cells: Mapping[str, RowCell], fields: Collection[str], today: date, found: list[Finding]
    ) -> None:
        self._cells, self._fields, self._today, self.found = cells, fields, today, found

    def _say(self, code: str, level: Level, cell: RowCell | None = None, **details: str | int) -> None:
        self.found.append(Finding(code, level, cell.place if cell else None, details or None))

    def _refuse(self, refused: RefusedInputError, cell: RowCell) -> None:
        details = {name: value for name, value in refused.details.items() if isinstance(value, str | int)}
        self._say(refused.code, Level.REFUSE, cell, **details)

    def name(self) -> str:
        """Return the name that the home uses; else the name, cut to the length of a label."""
        full, short = self._cells.get("name"), self._cells.get("label")
        cell = short or full
        # In a sheet with names, a row without one is a mistake.
        if cell is None or (full is None and "name" in self._fields):
            self._say("name_missing", Level.REFUSE)
            return ""
        if _is_formula(cell.text):
            self._say(FORMULA, Level.REFUSE, cell)
            return ""
        text = _one_line(cell.text)
        if len(text) > LONGEST_LABEL:
            text = text[:LONGEST_LABEL].rstrip()
            self._say("label_shortened", Level.NOTE, cell)
        return self._label("label", text, cell, 3)

    def _label(self, field: str, text: str, cell: RowCell, most_digits: int) -> str:
        try:
            return clean_label(text, field=field, longest=LONGEST_LABEL, most_digits=most_digits)
        except RefusedInputError as refused:
            self._refuse(refused, cell)
            return ""

    def words(self, field: str, *, most_digits: int = 3) -> str | None:
        """Return a field's text on one line; None where it is empty or refused."""
        cell = self._cells.get(field)
        if cell is None:
            return None
        if _is_formula(cell.text):
            self._say(FORMULA, Level.REFUSE, cell)
            return None
        return self._label("ref" if field == "reference" else field, _one_line(cell.text), cell, most_digits) or None

    def check_together(self, resident: Resident) -> None:
        """Refuse a row whose words hold a number only together."""
        words = (resident.label, resident.reference, resident.room, resident.unit)
        looks_like = forbidden_in_record(words)
        if looks_like is not None:
            self._say("forbidden_number", Level.REFUSE, None, looks_like=looks_like)

    def mode(self) -> Mode | None:
        """Return the mode that the row asks for; None where it does not say."""
        cell = self._cells.get("mode")
        if cell is None:
            return None
        said = _folded(cell.text)
        if said in _YES:
            return Mode.ELDERLY
        if said in _NO:
            return Mode.HOME
        self._say("mode_unreadable", Level.WARN, cell)
        return None

    def contacts(self) -> list[ResidentContact]:
        """Return the contacts of the person and of the family that the row names and wants to be used."""
        notify = self._cells.get("tell")
        wanted = _folded(notify.text) if notify else ""
        to_person = not wanted or "本人" in wanted or "self" in wanted
        to_family = not wanted or "家族" in wanted or "family" in wanted
        found = []
        mobile, phone = self._phone("mobile", ChannelName.SMS), self._phone("phone", ChannelName.VOICE)
        if mobile and to_person:
            found.append(ResidentContact(ChannelName.SMS, mobile.text, False, mobile.place))
        if phone and to_person and (mobile is None or phone.text != mobile.text):
            is_mobile = addresses.read_phone(phone.text).kind is addresses.PhoneKind.MOBILE
            channel = ChannelName.SMS if is_mobile else ChannelName.VOICE
            found.append(ResidentContact(channel, phone.text, False, phone.place))
        family_mail, family_mobile = self._mail("family_email"), self._phone("family_mobile", ChannelName.SMS)
        if to_family:
            # One relative with two addresses is one human: they receive a mail, not two messages.
            if family_mail:
                found.append(ResidentContact(ChannelName.EMAIL, family_mail.text, True, family_mail.place))
            elif family_mobile:
                found.append(ResidentContact(ChannelName.SMS, family_mobile.text, True, family_mobile.place))
        return found

    def _phone(self, field: str, channel: ChannelName) -> RowCell | None:
        cell = self._cells.get(field)
        if cell is None:
            return None
        try:
            phone = addresses.read_phone(cell.text, field=field)
            if field == "family_mobile" and phone.kind is addresses.PhoneKind.LANDLINE:
                self._say("family_landline", Level.NOTE, cell)
                return None
            can_take = channel is ChannelName.VOICE or phone.kind is addresses.PhoneKind.MOBILE
            # This raises the refusal that gives the reason.
            number = phone.e164 if can_take else addresses.read_sms_number(cell.text, field=field)
        except RefusedInputError as refused:
            self._refuse(refused, cell)
            return None
        if not _FIRST_ZERO.match(_folded(cell.text)):
            self._say("phone_zero_added", Level.NOTE, cell)
        return RowCell(cell.place, number)

    def _mail(self, field: str) -> RowCell | None:
        cell = self._cells.get(field)
        if cell is None:
            return None
        try:
            address = addresses.read_email(cell.text, field=field)
        except RefusedInputError as refused:
            self._refuse(refused, cell)
            return None
        if address != cell.text.strip():
            self._say("email_mended", Level.NOTE, cell)
        return RowCell(cell.place, address)

    def consent(self) -> RowConsent | None:
        """Return the recorded consent; only with its day: a column that always holds 有 proves nothing."""
        day, how = self._cells.get("consent_date"), self._cells.get("consent_how")
        if day is None:
            if any(name in self._cells for name in CONTACT_FIELDS):
                # In a sheet without a column for it, this is not specific to any row.
                self._say("consent_missing", Level.WARN if "consent_date" in self._fields else Level.NOTE)
            return None
        try:
            on = _read_day(day.text)
        except DateError as refused:
            self._refuse(refused, day)
            return None
        if on > self._today:
            self._say("consent_ahead", Level.REFUSE, day)
            return None
        said = _folded(how.text) if how else ""
        manner = next((manner for word, manner in _CONSENT if word in said), ConsentHow.SPOKEN)
        return RowConsent(manner, on)

    def cards(self) -> dict[str, date]:
        """Return the last valid day of each card, by kind."""
        dated = {field: cell for field, cell in self._cells.items() if field.startswith(CARD)}
        if not dated:
            self._say("no_date", Level.REFUSE)
        ends = {field.removeprefix(CARD): self._end(cell) for field, cell in dated.items()}
        return {kind: end for kind, end in ends.items() if end is not None}

    def own_days(self) -> tuple[int, ...]:
        """Return the days of reminders that the row asks for, none where it does not say."""
        cell = self._cells.get("own_days")
        if cell is None:
            return ()
        try:
            return read_days(cell.text)
        except RefusedInputError as refused:
            self._refuse(refused, cell)
            return ()

    def _end(self, cell: RowCell) -> date | None:
        instead = _instead_of_a_day(cell.text)
        if instead is not None:
            self._say(instead.code, instead.level, cell)
            return None
        end = self._day(cell)
        if end is None:
            return None
        if end > _furthest(self._today):
            self._say("date_far", Level.REFUSE, cell, date=end.isoformat())
            return None
        if _outlives(cell.text, end):
            self._say("date_era_over", Level.CONFIRM, cell, date=end.isoformat())
        if end < self._today:
            self._say("date_past", Level.CONFIRM, cell, date=end.isoformat())
        return end

    def _day(self, cell: RowCell) -> date | None:
        """Return the day in a cell, also if a word follows it, as in R8.12.31→更新申請中."""
        try:
            return _read_day(cell.text)
        except DateError as refused:
            noted = _WITH_NOTE.match(unicodedata.normalize("NFKC", cell.text))
            try:
                day = _read_day(noted["date"]) if noted else None
            except DateError:
                day = None
            if day is None:
                self._refuse(refused, cell)
            else:
                self._say("date_with_note", Level.CONFIRM, cell, date=day.isoformat())
            return day


CONTACT_FIELDS = ("mobile", "phone", "family_mobile", "family_email")
_YES = frozenset(
    {"はい", "有", "あり", "有り", "○", "〇", "◯", "1", "yes", "y", "true", "✓", "レ", "elderly", "見守り"}
)
_NO = frozenset({"いいえ", "無", "なし", "無し", "×", "x", "0", "no", "n", "false", "-", "home", "施設"})
_CONSENT = (
    ("代理", ConsentHow.AGENT), ("後見", ConsentHow.AGENT), ("agent", ConsentHow.AGENT),
    ("書面", ConsentHow.WRITTEN), ("同意書", ConsentHow.WRITTEN), ("written", ConsentHow.WRITTEN),
)  # fmt: skip
_DITTO = frozenset({"〃", "々", '"', "''", "同上", "″", "仝", "ditto"})
_IN_RENEWAL = ("更新中", "更新申請中", "申請中", "手続中", "手続き中")
_NOT_KNOWN = ("不明", "未確認", "確認中", "未定", "なし", "無し", "不詳", "?", "-", "ー", "unknown", "n/a", "持って")
_FIRST_ZERO = re.compile(r"[0+(tT]")
# The word's own end decides where the date ends, so that no two parts can share white space between them.
_WITH_NOTE = re.compile(r"\s*+(?P<date>[^\s→(＞>※,、]*[0-9元]日?)(?=(?:まで)?[\s→(＞>※,、])\D*$")
_FORMULA = re.compile(r"[=+@]|-[^\d]")


def _is_formula(text: str) -> bool:
    """Return whether a spreadsheet would run the text; no name looks like that."""
    return bool(_FORMULA.match(unicodedata.normalize("NFKC", text).strip()))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower()


@lru_cache(maxsize=4096)
def _read_day(text: str) -> date:
    return dates.read_date(text)


@lru_cache(maxsize=4096)
def _outlives(text: str, end: date) -> bool:
    return dates.outlives_its_era(text, end)


@lru_cache(maxsize=4096)
def _instead_of_a_day(text: str) -> Finding | None:
    """Return the finding for words in place of a date."""
    said = _folded(text)
    if said in _DITTO:
        return Finding("date_ditto", Level.REFUSE)
    if any(map(str.isdecimal, said)):
        return None
    if any(word in said for word in _IN_RENEWAL):
        return Finding("date_in_renewal", Level.WARN)
    return Finding("date_not_known", Level.WARN) if any(word in said for word in _NOT_KNOWN) else None


@lru_cache(maxsize=8)
def _furthest(today: date) -> date:
    furthest: date = today + FURTHEST_AHEAD
    return furthest
