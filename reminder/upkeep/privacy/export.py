"""Export: everything that is held of a group or of one person, as data for programs and as a page to read."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from html import escape
from itertools import chain
from typing import Any

from reminder.clock import JAPAN
from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.text.catalog import Catalog, Catalogs
from reminder.domain.text.furigana import as_ruby
from reminder.errors import NotFoundError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.maintenance import export
from reminder.storage.maintenance.export import ExportScope, Row
from reminder.storage.registry import groups, people
from reminder.storage.runtime import activity_log

FORMAT = "kigen-dayori export 1"

_STYLE = """
@page { size: A4; margin: 15mm }
body { margin: 0 auto; max-width: 180mm; padding: 4mm; background: #fff; color: #000; font: 12pt/1.6 'BIZ UDPGothic',
  'BIZ UDPゴシック', 'Noto Sans CJK JP', 'Hiragino Sans', sans-serif }
h1 { font-size: 20pt }
h2 { font-size: 16pt; margin: 8mm 0 2mm; border-bottom: 1.5pt solid #000; break-after: avoid }
h3 { font-size: 13pt; margin: 5mm 0 1mm; break-after: avoid }
table { width: 100%; border-collapse: collapse }
th, td { border: 0.75pt solid #767676; padding: 1mm 2mm; text-align: left; vertical-align: top;
  overflow-wrap: break-word }
tr { break-inside: avoid }
td { white-space: pre-wrap }
.short { white-space: pre; word-break: keep-all }
rt { font-size: 50% }
"""


def export_group(uow: UnitOfWork, *, group_id: int, person_id: int | None = None) -> Mapping[str, Any]:
    """Return the export as plain values that JSON can hold; instants are in Japan's time.

    Addresses and texts are decrypted. Raises NotFoundError for an unknown group, or for a person who is not in it. All
    of it is in memory: see `export_json`.
    """
    parts = _parts(uow, ExportScope(group_id, person_id))
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in parts}


def record_export(uow: UnitOfWork, *, group_id: int, person_id: int | None = None, by: int | None = None) -> None:
    """Record in the activity log that a group, or one person of it, is exported. `by`: None on the console.

    Raises NotFoundError as `export_group`.
    """
    if groups.find(uow.tx, group_id) is None:
        raise NotFoundError(field="group")
    person = None if person_id is None else people.find(uow.tx, person_id)
    if person_id is not None and (person is None or person.group_id != group_id):
        raise NotFoundError(field="person")
    activity_log.write(uow.tx, "exported", uow.now, group_id=group_id, person_id=person_id, member_id=by)


def export_json(uow: UnitOfWork, *, group_id: int, person_id: int | None = None) -> Iterator[str]:
    """Yield the same export as JSON, piece by piece: however large the group, few of its rows are in memory.

    Raises as `export_group`, before the first piece. The unit of work must stay open until the last piece is taken.
    """
    before = "{"
    for name, value in _parts(uow, ExportScope(group_id, person_id)):
        yield f"{before}\n{_json(name)}: "
        yield from _array(value) if isinstance(value, Iterator) else (_json(value),)
        before = ","
    yield "\n}"


def _array(rows: Iterable[object]) -> Iterator[str]:
    """Yield a JSON array with one row a line."""
    before = "["
    for row in rows:
        yield f"{before}\n {_json(row)}"
        before = ","
    yield "[]" if before == "[" else "\n]"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parts(uow: UnitOfWork, which: ExportScope) -> Iterator[tuple[str, object]]:
    """Yield the parts of the export by name; a long part is an iterator, to be read before the next part."""
    tx, keys = uow.tx, uow.keys
    group = export.group(tx, which.group_id)
    if group is None:
        raise NotFoundError(field="group")
    some_people = export.people(tx, which)
    first = next(some_people, [])
    if which.person_id is not None and not first:
        raise NotFoundError(field="person")
    yield "format", FORMAT
    yield "exported_at", uow.now.astimezone(JAPAN).isoformat(timespec="seconds")
    yield "group", group if which.person_id is None else {name: group[name] for name in ("id", "name", "kind")}
    kind_name = partial(_kind_name, uow.rules.wording.of(Language.JAPANESE))
    yield "people", (one for some in chain([first], some_people) for one in _whole(tx, keys, kind_name, some))
    yield "messages", export.messages(tx, keys, which)
    yield "replies", export.replies(tx, keys, which)
    yield "activity_log", export.activity_log(tx, which)
    if which.person_id is not None:
        return
    members = export.members(tx, keys, which.group_id)
    contacts = export.contacts_of_members(tx, keys, [one["id"] for one in members])
    yield "members", [{**one, "contacts": contacts.get(one["id"], [])} for one in members]
    yield "invitations", export.invitations(tx, keys, which.group_id)
    yield "tokens", export.api_tokens(tx, which.group_id)
    yield "own_kinds", export.own_kinds(tx, which.group_id)
    yield "calendar_feeds", export.calendar_feeds(tx, which.group_id)
    yield "imports", export.imports(tx, which.group_id)


def _whole(tx: Tx, keys: KeyRing, kind_name: Callable[[Row], str], people: Sequence[Row]) -> Iterator[Row]:
    """Yield these people with everything that belongs to each."""
    ids = _ids(people)
    contacts, cards = export.contacts_of_people(tx, keys, ids), export.cards(tx, ids)
    card_ids = _ids(chain(*cards.values()))
    reminders, assignments = export.reminders(tx, card_ids), export.assignments(tx, card_ids)
    lives, ends = export.card_lives(tx, card_ids), export.counted_ends(tx, card_ids)
    promises = export.promises(tx, _ids(chain(*reminders.values())))
    notices, whereabouts = export.notices(tx, ids), export.person_lives(tx, ids)
    for person in people:
        whose = person["id"]
        yield {
            **person,
            "contacts": contacts.get(whose, []),
            "cards": [
                {
                    **card,
                    "kind_name": kind_name(card),
                    "reminders": [
                        {**reminder, "promises": promises.get(reminder["id"], [])}
                        for reminder in reminders.get(card["id"], [])
                    ],
                    "assignments": assignments.get(card["id"], []),
                    "lives": lives.get(card["id"], []),
                    "ends": ends.get(card["id"], []),
                }
                for card in cards.get(whose, [])
            ],
            "notices": notices.get(whose, []),
            "whereabouts": whereabouts.get(whose, []),
        }


def _ids(rows: Iterable[Row]) -> list[int]:
    return [row["id"] for row in rows]


def _kind_name(words: Catalog, card: Row) -> str:
    """Return the name of the card's kind, or its key if config/ no longer has the kind."""
    return card["label"] or words.kinds.get(card["kind"], {}).get("name", card["kind"])


def export_page(exported: Mapping[str, Any], rules: Rulebook, language: Language) -> str:
    """Return the same export as a page to read and print: A4, one file, without script."""
    return _Page(exported, rules.wording, language).whole()


_HEADS = {"card_state": "state", "member_address": "address", "said_of_it": "consent"}
_SHORT = ("channel", "state", "card_state", "told", "whose", "role", "language", "by")
# The instant of a row: the first of these that is known.
_INSTANTS = ("handed_at", "received_at", "at", "created_at")


def _look(column: str) -> str:
    return ' class="short"' if column in _SHORT else ""


def _first_address(member: Row) -> str:
    return next((contact["address"] or "" for contact in member["contacts"]), "")


def _ledger(contacts: Iterable[Row]) -> list[Row]:
    """Return what the ledger of consents says of these contacts, oldest first; two with one address have one record."""
    found = [{**record, "address": contact["address"]} for contact in contacts for record in contact["consents"]]
    return sorted({json.dumps(one): one for one in found}.values(), key=lambda one: str(one["at"]))


_SAID_OF_A_PERSON = ("reference", "room", "unit", "mark", "office", "mode", "language", "insurance")


class _Page:
    def __init__(self, exported: Mapping[str, Any], wording: Catalogs, language: Language) -> None:
        self._all, self._languages = exported, wording.languages
        self._words = words = wording.of(language).in_mail
        self._said = words.section("export")
        owners = [*exported["people"], *exported.get("members", ())]
        self._contacts: dict[int, Row] = {contact["id"]: contact for one in owners for contact in one["contacts"]}
        self._members: dict[int, str] = {
            one["id"]: one["name"] or one["signs_in_with"] or "" for one in exported.get("members", ())
        }
        self._about, self._replies, self._acts = self._by_person()

    def _by_person(self) -> tuple[dict[int, list[Row]], dict[int, list[Row]], dict[int, list[Row]]]:
        """Return messages, replies and activities by person, read once."""
        people = self._all["people"]
        of_contact = {contact["id"]: person["id"] for person in people for contact in person["contacts"]}
        of_card = {card["id"]: person["id"] for person in people for card in person["cards"]}
        about: dict[int, list[Row]] = {person["id"]: [] for person in people}
        replies: dict[int, list[Row]] = {person["id"]: [] for person in people}
        acts: dict[int, list[Row]] = {person["id"]: [] for person in people}
        for message in self._all["messages"]:
            whose = {of_card.get(card_id) for card_id in message["tells_of_cards"]}
            whose |= {of_contact.get(message["contact_id"]), *message["speaks_of_people"]}
            if "members" not in self._all and message["speaks_of_others"]:
                whose |= about.keys()
            for person_id in about.keys() & whose:
                about[person_id].append(message)
        for reply in self._all["replies"]:
            if (speaker := of_contact.get(reply["contact_id"])) is not None:
                replies[speaker].append(reply)
        for act in self._all["activity_log"]:
            whose = {act["person_id"], of_card.get(act["card_id"]), of_contact.get(act["contact_id"])}
            for person_id in acts.keys() & whose:
                acts[person_id].append(act)
        return about, replies, acts

    def whole(self) -> str:
        said, whose = self._said, self._all["people"]
        at = self._at(self._all["exported_at"])
        title = said["title"].format(service=self._words.word("service"))
        about = (
            said["about_group"].format(group=self._all["group"]["name"], at=at)
            if "members" in self._all
            else said["about_person"].format(label=whose[0]["label"], at=at)
        )
        body = "\n".join([f"<p>{_html(about)}</p>", *(self._person(one) for one in whose), *self._group()])
        return (
            f'<!doctype html>\n<html lang="{self._words.facts.html}"><head>'
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
            f"<body>\n<h1>{_html(title)}</h1>\n{body}\n</body></html>\n"
        )

    def _person(self, person: Row) -> str:
        about, replies, acts = (found.get(person["id"], ()) for found in (self._about, self._replies, self._acts))
        return "\n".join(
            [
                f"<h2>{_html(person['label'])}</h2>",
                self._settings(person, _SAID_OF_A_PERSON),
                self._table("contacts", ("whose", "channel", "address", "state", "consent"), person["contacts"]),
                self._table("ledger", ("at", "address", "said_of_it", "way"), _ledger(person["contacts"])),
                self._table("cards", ("kind", "end", "card_state", "told"), person["cards"]),
                self._table("messages", ("at", "channel", "to", "text", "state"), about),
                self._table("replies", ("at", "channel", "said"), replies),
                self._table("acts", ("at", "act", "by"), acts),
            ]
        )

    def _group(self) -> Iterable[str]:
        if "members" not in self._all:
            return
        group = self._all["group"]
        about_nobody = [
            one for one in self._all["messages"] if not one["speaks_of_people"] and self._is_a_member_s(one)
        ]
        about_no_person = [
            act for act in self._all["activity_log"] if act["person_id"] is None and act["card_id"] is None
        ]
        yield f"<h2>{_html(group['name'])}</h2>"
        members = self._all["members"]
        yield self._table("members", ("name", "role", "member_address", "language"), members)
        theirs = [contact for member in members for contact in member["contacts"]]
        yield self._table("ledger", ("at", "address", "said_of_it", "way"), _ledger(theirs))
        yield self._table("messages_to_members", ("at", "channel", "to", "text", "state"), about_nobody)
        yield self._table("invitations", ("at", "address", "role"), self._all["invitations"])
        yield self._table("tokens", ("at", "name"), self._all["tokens"])
        yield self._table("calendar_feeds", ("at", "by"), self._all["calendar_feeds"])
        yield self._table("imports", ("at",), self._all["imports"])
        yield self._table("acts", ("at", "act", "by"), about_no_person)

    def _is_a_member_s(self, message: Row) -> bool:
        return self._contacts.get(message["contact_id"], {}).get("person_id") is None

    def _settings(self, row: Row, names: Sequence[str]) -> str:
        cells = "".join(
            f"<tr><th>{_html(self._said[name])}</th><td>{_html(self._setting(name, row[name]))}</td></tr>"
            for name in names
            if row[name] not in (None, "")
        )
        return f"<table>{cells}</table>"

    def _setting(self, name: str, value: object) -> str:
        if isinstance(value, bool):
            return self._said["yes" if value else "no"]
        if name == "language" and (known := self._languages.get(Language(str(value)))) is not None:
            return self._said.get(f"{name}_{value}", known.facts.name)
        return self._said.get(f"{name}_{value}", str(value))

    def _table(self, name: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
        title = f"<h3>{_html(self._said[name])}</h3>"
        if not rows:
            return f"{title}<p>{_html(self._said['none'])}</p>"
        head = "".join(f"<th{_look(column)}>{_html(self._said[_HEADS.get(column, column)])}</th>" for column in columns)
        cells = self._cells()
        body = "".join(
            "<tr>" + "".join(f"<td{_look(column)}>{_html(cells[column](row))}</td>" for column in columns) + "</tr>"
            for row in rows
        )
        return f"{title}<table><tr>{head}</tr>{body}</table>"

    def _cells(self) -> Mapping[str, Callable[[Row], str]]:
        """Return for each column the function that gives its text."""
        said, words, contacts = self._said, self._words, self._contacts
        states, channels, acts = words.section("state"), words.section("channel"), words.section("acts")

        def channel(row: Row) -> str:
            name = row.get("channel") or contacts.get(row["contact_id"], {}).get("channel", "")
            return channels.get(name, name)

        def end(row: Row) -> str:
            day = words.date(date.fromisoformat(row["expires_on"]), "full_date")
            return words.word("about_date").format(date=day) if row["is_computed"] else day

        def consent(row: Row) -> str:
            how = row["consent_how"]
            return "" if how is None else f"{said[f'consent_{how}']} {row['consent_by'] or ''}".strip()

        return {
            "at": lambda row: self._at(next(row[name] for name in _INSTANTS if row.get(name))),
            "kind": lambda row: _kind_name(words, row),
            "end": end,
            "told": lambda row: "\n".join(sorted({reminder["due_on"] for reminder in row["reminders"]})),
            "state": lambda row: states.get(row["state"], row["state"]),
            "card_state": lambda row: said["current" if row["retired_at"] is None else "retired"],
            "channel": channel,
            "whose": lambda row: said["family" if row["is_family"] else "own"],
            "consent": consent,
            "said_of_it": lambda row: said[f"ledger_{row['act']}"],
            "way": lambda row: said[f"way_{row['way']}"],
            "to": lambda row: row["address"] or contacts.get(row["contact_id"], {}).get("address") or "",
            "address": lambda row: row["address"] or "",
            "member_address": lambda row: row["signs_in_with"] or _first_address(row),
            "text": self._words_of,
            "said": lambda row: said["not_kept"] if row["text"] is None else row["text"],
            "act": lambda row: acts.get(row["act"], row["act"]),
            "by": lambda row: self._members.get(row["member_id"], "") or said["at_console"],
            "role": lambda row: said[f"role_{row['role']}"],
            "name": lambda row: row["name"],
            "language": lambda row: self._setting("language", row["language"]),
        }

    def _words_of(self, message: Row) -> str:
        if message["speaks_of_others"]:
            return self._said["of_others"]
        if message["text"] is None:
            return self._said["forgotten"]
        return "\n".join(part for part in (message["subject"], message["text"]) if part)

    def _at(self, instant: str) -> str:
        at = datetime.fromisoformat(instant)
        return f"{self._words.date(at.date(), 'full_date')} {at:%H:%M}"


def _html(text: str) -> str:
    return as_ruby(escape(text))
