"""Parser of one row of a home's sheet: from cells to a resident and findings about the row.

The cells have passed the guard already, and none comes from a column of numbers.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from reminder.domain.model.imports import CARD, FORMULA, RETURNED, Finding, Level
from reminder.domain.model.people import ChannelName, ConsentHow, Mode
from reminder.domain.parsing import addresses, dates
from reminder.domain.parsing.cell_words import CellWord, read_period, read_word
from reminder.domain.parsing.days_before import read_days
from reminder.domain.parsing.noted_values import name_alone, read_noted_numbers, relation_in
from reminder.domain.parsing.whereabouts import SheetAbsence, standing_of
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
    """An address in a row. `place`: the column of its cell, from 0. `relation`: as 長女, "" where none is noted."""

    channel: ChannelName
    address: str
    is_family: bool
    place: int
    relation: str = ""


@dataclass(frozen=True)
class RowConsent:
    """A consent that the home has recorded: how it was given, and on which day (in Japan)."""

    how: ConsentHow
    on: date


@dataclass(frozen=True)
class Resident:
    """A person as a row describes them.

    `cards`: the last valid day, by kind. `own_days`: days before the end for each of them, in place of the group's.
    `words`: what stands in place of a day, by kind: that there is no such card, that it has ended, and so on.
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
    words: Mapping[str, CellWord] = field(default_factory=dict)

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
    cells: Mapping[str, RowCell],
    fields: Collection[str],
    known: Sequence[Finding],
    today: date,
    by_place: Mapping[int, str] | None = None,
) -> tuple[Resident | None, list[Finding]]:
    """Return the resident of a row and all findings about it; the resident is None where any finding refuses.

    `cells`: by field. `fields`: all fields that the sheet has a column for. `known`: findings of earlier checks.
    `today`: the date in Japan. `by_place`: the field of each column. A cell that is wrong is returned, and the rest of
    the row kept, unless it names the resident, holds a number, or leaves nothing to be kept.
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
        row.card_words,
    )
    row.check_together(resident)
    if resident.cards or row.card_words:
        names = {cell.place: field for field, cell in cells.items()} | dict(by_place or {})
        row.found = [_returned(finding, names) for finding in row.found]
    is_refused = any(finding.level is Level.REFUSE for finding in row.found)
    return (None if is_refused else resident), row.found


# A row whose resident is not certain is not taken at all.
_NAMES = frozenset({"name", "label", "surname", "given_name", "reference"})
# Where somebody lives helps to tell who is meant: without it somebody is asked.
_PLACES = frozenset({"room", "unit"})


def _returned(finding: Finding, names: Mapping[int, str]) -> Finding:
    """Return what refuses only a cell as a finding that leaves the cell out. `names`: the field by place."""
    name = "" if finding.place is None else names.get(finding.place, "")
    is_whole = not name or name in _NAMES or finding.code in ("forbidden_number", "text_too_long")
    if finding.level is not Level.REFUSE or is_whole:
        return finding
    level = Level.CONFIRM if name in _PLACES else Level.WARN
    return Finding(finding.code, level, finding.place, {**(finding.details or {}), RETURNED: 1})


@dataclass(frozen=True)
class _Number:
    """A telephone number in a row, as E.164. `relation`: what is noted beside it."""

    place: int
    text: str
    relation: str


def _kind_of(number: str) -> addresses.PhoneKind | None:
    try:
        return addresses.read_phone(number).kind
    except RefusedInputError:
        return None


class _Row:
    def __init__(
        self, cells: Mapping[str, RowCell], fields: Collection[str], today: date, found: list[Finding]
    ) -> None:
        self._cells, self._fields, self._today, self.found = cells, fields, today, found
        self.card_words: dict[str, CellWord] = {}

    def _say(self, code: str, level: Level, cell: RowCell | None = None, **details: str | int) -> None:
        self.found.append(Finding(code, level, cell.place if cell else None, details or None))

    def _refuse(self, refused: RefusedInputError, cell: RowCell) -> None:
        details = {name: value for name, value in refused.details.items() if isinstance(value, str | int)}
        self._say(refused.code, Level.REFUSE, cell, **details)

    def name(self) -> str:
        """Return the name that the home uses; else the name, cut to the length of a label."""
        full, short = self._full_name(), self._cells.get("label")
        cell = short or full
        # In a sheet with names, a row without one is a mistake.
        if cell is None or (full is None and not _FULL_NAMES.isdisjoint(self._fields)):
            self._say("name_missing", Level.REFUSE)
            return ""
        if _is_formula(cell.text):
            self._say(FORMULA, Level.REFUSE, cell)
            return ""
        if read_word(cell.text) is CellWord.DITTO:
            self._say("name_ditto", Level.REFUSE, cell)
            return ""
        if standing_of(cell.text) is SheetAbsence.EMPTY:
            self._say("room_empty", Level.REFUSE, cell)
            return ""
        if _folded(cell.text).strip("()") in _EXAMPLES:
            self._say("row_example", Level.REFUSE, cell)
            return ""
        text = name_alone(cell.text) if cell is full else _one_line(cell.text)
        if text != _one_line(cell.text):
            self._say("name_shortened", Level.NOTE, cell)
        if len(text) > LONGEST_LABEL:
            text = text[:LONGEST_LABEL].rstrip()
            self._say("label_shortened", Level.NOTE, cell)
        return self._label("label", text, cell, 3)

    def _full_name(self) -> RowCell | None:
        """Return the name, also of two columns with its two parts."""
        surname, given = self._cells.get("surname"), self._cells.get("given_name")
        if self._cells.get("name") is not None or surname is None:
            return self._cells.get("name")
        return RowCell(surname.place, surname.text if given is None else f"{surname.text} {given.text}")

    def _label(self, field: str, text: str, cell: RowCell, most_digits: int) -> str:
        try:
            return clean_label(text, field=field, longest=LONGEST_LABEL, most_digits=most_digits)
        except RefusedInputError as refused:
            self._refuse(refused, cell)
            return ""

    def words(self, field: str, *, most_digits: int = 3) -> str | None:
        """Return a field's text on one line; None where it is empty or refused."""
        cell = self._cells.get(field)
        if cell is None or (field != "reference" and self._says_none(cell)):
            return None
        if _is_formula(cell.text):
            self._say(FORMULA, Level.REFUSE, cell)
            return None
        if field == "room" and _A_DAY.fullmatch(cell.text.strip()):
            self._say("room_is_day", Level.REFUSE, cell)
            return None
        if read_word(cell.text) is CellWord.DITTO:
            self._say("cell_ditto", Level.REFUSE, cell)
            return None
        return self._label("ref" if field == "reference" else field, _one_line(cell.text), cell, most_digits) or None

    def _says_none(self, cell: RowCell) -> bool:
        """Return whether a cell says that it has no value, which is said once more."""
        is_none = read_word(cell.text) not in (None, CellWord.DITTO)
        if is_none:
            self._say("cell_none", Level.NOTE, cell)
        return is_none

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
        to_family = not wanted or "家族" in wanted or "family" in wanted or bool(relation_in(wanted))
        if notify and not (to_person or to_family) and not any(word in wanted for word in _NOBODY):
            self._say("tell_unreadable", Level.WARN, notify)
            to_person = to_family = True
        found = []
        mobile, phone = self._phone("mobile", ChannelName.SMS), self._phone("phone", ChannelName.VOICE)
        # A number with a relation beside it is a relative's, also in the column of the resident's own.
        if mobile and (to_family if mobile.relation else to_person):
            family = bool(mobile.relation)
            found.append(ResidentContact(ChannelName.SMS, mobile.text, family, mobile.place, mobile.relation))
        if phone and (to_family if phone.relation else to_person) and (mobile is None or phone.text != mobile.text):
            is_mobile = addresses.read_phone(phone.text).kind is addresses.PhoneKind.MOBILE
            channel = ChannelName.SMS if is_mobile else ChannelName.VOICE
            # A relative is written to, never called.
            if is_mobile or not phone.relation:
                found.append(ResidentContact(channel, phone.text, bool(phone.relation), phone.place, phone.relation))
        family_mail, family_mobile = self._mail("family_email"), self._phone("family_mobile", ChannelName.SMS)
        if to_family:
            # One relative with two addresses is one human: they receive a mail, not two messages.
            if family_mail:
                found.append(ResidentContact(ChannelName.EMAIL, family_mail.text, True, family_mail.place))
            elif family_mobile:
                number = family_mobile
                found.append(ResidentContact(ChannelName.SMS, number.text, True, number.place, number.relation))
        return found

    def _phone(self, field: str, channel: ChannelName) -> _Number | None:
        cell = self._cells.get(field)
        if cell is None or self._says_none(cell):
            return None
        if read_word(cell.text) is CellWord.DITTO:
            self._say("cell_ditto", Level.REFUSE, cell)
            return None
        written, relation = self._one_number(cell, field, channel)
        try:
            phone = addresses.read_phone(written, field=field)
            if field == "family_mobile" and phone.kind is addresses.PhoneKind.LANDLINE:
                self._say("family_landline", Level.NOTE, cell)
                return None
            can_take = channel is ChannelName.VOICE or phone.kind is addresses.PhoneKind.MOBILE
            # This raises the refusal that gives the reason.
            number = phone.e164 if can_take else addresses.read_sms_number(written, field=field)
        except RefusedInputError as refused:
            self._refuse(refused, cell)
            return None
        if not _FIRST_ZERO.match(_folded(written)):
            self._say("phone_zero_added", Level.NOTE, cell)
        if relation and field != "family_mobile":
            self._say("phone_of_family", Level.CONFIRM, cell)
        return _Number(cell.place, number, relation)

    def _one_number(self, cell: RowCell, field: str, channel: ChannelName) -> tuple[str, str]:
        """Return the number that a cell means, and the relation that is noted beside it."""
        try:
            addresses.read_phone(cell.text, field=field)
        except RefusedInputError:
            noted = read_noted_numbers(cell.text)
        else:
            return cell.text, ""
        readable = [number for number in noted.numbers if _kind_of(number) is not None]
        if not readable or len(readable) < len(noted.numbers):
            return cell.text, ""
        if len(readable) == 1:
            self._say("phone_with_note", Level.NOTE, cell)
            return readable[0], noted.relation
        mobiles = [number for number in readable if _kind_of(number) is addresses.PhoneKind.MOBILE]
        self._say("phone_first_of_two", Level.CONFIRM, cell)
        return (mobiles if mobiles and channel is ChannelName.SMS else readable)[0], noted.relation

    def _mail(self, field: str) -> RowCell | None:
        cell = self._cells.get(field)
        if cell is None or self._says_none(cell):
            return None
        if read_word(cell.text) is CellWord.DITTO:
            self._say("cell_ditto", Level.REFUSE, cell)
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
        if day is None or read_word(day.text) not in (None, CellWord.DITTO):
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
        ends = {field.removeprefix(CARD): self._end(field.removeprefix(CARD), cell) for field, cell in dated.items()}
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

    def _end(self, kind: str, cell: RowCell) -> date | None:
        word = _word(cell.text)
        if word is not None:
            code, level = _INSTEAD_OF_A_DAY[word]
            self._say(code, level, cell)
            if word is not CellWord.DITTO:
                self.card_words[kind] = word
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
        if _TYPED_WITHOUT_DOTS.fullmatch(_folded(cell.text)):
            # 50331: the 31st of March of Reiwa 5, or a spreadsheet's number of a day in 2037.
            self._say("date_ambiguous", Level.REFUSE, cell)
            return None
        period = read_period(cell.text)
        if period is not None:
            self._say("date_of_period", Level.NOTE, cell, date=period.last.isoformat())
            return period.last
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
# What stands in place of a day, with its finding.
_INSTEAD_OF_A_DAY = {
    CellWord.NONE: ("date_none", Level.NOTE),
    CellWord.PERMANENT: ("date_permanent", Level.NOTE),
    CellWord.ENDED: ("date_ended", Level.WARN),
    CellWord.APPLIED: ("date_in_renewal", Level.WARN),
    CellWord.NOT_KNOWN: ("date_not_known", Level.WARN),
    CellWord.DITTO: ("date_ditto", Level.REFUSE),
}
_FULL_NAMES = frozenset({"name", "surname"})
_EXAMPLES = frozenset({"例", "記入例", "見本", "記載例", "入力例", "サンプル", "example", "sample"})
# Whom an entry means that asks for nobody to be told but the home.
_NOBODY = ("施設", "ホーム", "職員", "不要", "なし", "home", "staff", "nobody", "none")
_A_DAY = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?:[ T].{0,20})?")
_TYPED_WITHOUT_DOTS = re.compile(r"[1-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
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
def _word(text: str) -> CellWord | None:
    return read_word(text)


@lru_cache(maxsize=8)
def _furthest(today: date) -> date:
    furthest: date = today + FURTHEST_AHEAD
    return furthest
