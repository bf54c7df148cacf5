"""What a stolen file of the database shows without its keys: exactly what the documents say."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from reminder.domain.model.access import Actor, Scope
from reminder.domain.model.imports import ColumnUse, Finding, ImportColumn, Level
from reminder.domain.model.people import ChannelName, Language, Role
from reminder.enrolment.identity import api_tokens
from reminder.storage.auth import accounts, sessions
from reminder.storage.crypto.keyring import new_token, token_hash
from reminder.storage.db.tables import Contact, InstallationSecret, ServiceState
from reminder.storage.maintenance import installation
from reminder.storage.registry import contacts, group_standing, groups, imports, people
from reminder.storage.registry.imports import NewRow
from reminder.upkeep.calendar.feeds import make_feed
from tests.storage.unsealed import unseal
from tests.village import Village, open_village

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
END = date(2027, 3, 31)


def documented() -> Mapping[str, bool]:
    """Of each value in the document, whether it is readable without the keys."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("### What a stolen database shows")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    return {value: "readable" in shown for value, shown in rows[1:] if value != "---"}


def bytes_of(folder: Path) -> bytes:
    """Every byte of the file, and of what SQLite keeps beside it."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith("kigen.db"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, list[str]], bytes]:
    """What was written, by the documents' name of it, and every byte of the file and of SQLite's log beside it."""
    folder = tmp_path_factory.mktemp("stolen")
    url = f"sqlite:///{folder / 'kigen.db'}"
    with open_village(url, folder, "2026-12-01 08:00", two_way_sms=True, line_token="invented") as village:
        values = lived(village)
        village.app.database.empty_log()
        file = bytes_of(folder)
    return values, file


def lived(village: Village) -> Mapping[str, list[str]]:
    app = village.app
    village.group(name="すずらん荘")
    village.member("娘", "musume@example.jp")
    village.person("カワセミ", phone="090-1212-3434", mark="つばめ", room="松の間", unit="三階", reference="K-77")
    village.contact("カワセミ", ChannelName("line"), "U" + "ab" * 16, family="孫")
    village.card("カワセミ", END, "mental_health_handbook")
    village.card("カワセミ", date(2027, 3, 30), "other", label="バスの券")
    village.run_until("2027-03-17 12:00")
    village.answers("カワセミ", "ねこがいます")
    browser, token, feed = new_token(), "", ""
    with app.writing() as uow:
        groups.name_member(uow.tx, 1, "ナデシコ")
        groups.set_organisation(uow.tx, 1, "ひまわり会")
        groups.save_column_headings(uow.tx, 1, {"しめいらん": "label"})
        for contact in uow.tx.scalars(select(Contact.id).where(Contact.person_id.is_not(None))).all():
            contacts.record_announced_by(uow.tx, contact, "三女")
        group_standing.suspend(uow.tx, 1, "てがみがとどかない", uow.now)
        actor = Actor(1, 1, Role.OWNER, Language.JAPANESE)
        token = api_tokens.make_token(uow, who=actor, name="台帳の写し", scopes=[Scope.READ])
        feed = make_feed(uow, member_id=1, is_private=False)
        account = accounts.add(uow.tx, uow.keys, address="tsuma@example.jp", language=Language.JAPANESE, now=uow.now)
        sessions.add(
            uow.tx, uow.keys, account_id=account.id, member_id=1, token_hash=token_hash(browser), device="Firefox", now=uow.now,
            expires_at=village.now,
        )  # fmt: skip
        columns = [ImportColumn(0, "A", "おなまえ", ColumnUse.MAPPED, "label", is_hidden=False)]
        sheet = imports.add(uow.tx, group_id=1, member_id=1, columns=columns, now=uow.now)
        imports.add_rows(uow.tx, uow.keys, sheet, [NewRow(1, {0: "ツワブキ"}, [])])
        renamed = [Finding("maybe_renamed", Level.CONFIRM, None, {"label": "ヒメユリ"})]
        imports.set_findings(uow.tx, sheet, {1: renamed})
        names = uow.tx.scalars(select(InstallationSecret.name)).all()
        secrets = [secret for name in names if (secret := installation.find_secret(uow.tx, uow.keys, name))]
    texts = [sent.outgoing for sent in village.world.all_sent()]
    assert secrets
    return {
        "telephone numbers": ["+819012123434", "09012123434", "090-1212-3434", "12123434"],
        "e-mail addresses and LINE ids": ["musume@", "tsuma@", "abababab"],
        "texts of messages, subjects": [
            *{one.text[:30] for one in texts},
            *{one.subject for one in texts if one.subject},
        ],
        "texts of replies": ["ねこがいます"],
        "rows of a sheet that is being imported": ["ツワブキ", "ヒメユリ"],
        "headings of a home's sheets": ["しめいらん", "おなまえ"],
        "why the operator has suspended a group": ["てがみがとどかない"],
        "secrets of sessions, API tokens and calendars": [browser, token, feed],
        "the secret of links, references and the ledger of consents": secrets,
        "numbers in the ledger of consents": ["+819012123434", "09012123434"],
        "names and labels of people": ["カワセミ"],
        "rooms and units": ["松の間", "三階"],
        "references (numbers of a home for its residents)": ["K-77"],
        "mark words": ["つばめ"],
        "who gave a consent": ["三女"],
        "names of groups and organisations": ["すずらん荘", "ひまわり会"],
        "names of members": ["ナデシコ"],
        "names of API tokens": ["台帳の写し"],
        "labels of cards": ["バスの券"],
        "kinds of cards and end dates": ["mental_health_handbook", "2027-03-31"],
        "when messages went out, by which channel, and what became of them": ["2027-03-17", "sms", "accepted"],
        "who did what and when, by ids": ["person_added", "card_added"],
    }


# Six digits may stand in any file by chance. Its message is sealed as all texts are, its row holds a keyed hash.
ELSEWHERE = {"login codes"}


def test_the_documents_name_every_value_that_is_tried_here(written: tuple[Mapping[str, list[str]], bytes]) -> None:
    assert documented().keys() == written[0].keys() | ELSEWHERE


@pytest.mark.parametrize("value", [value for value, readable in documented().items() if value not in ELSEWHERE])
def test_a_file_shows_exactly_what_the_documents_say(
    value: str, written: tuple[Mapping[str, list[str]], bytes]
) -> None:
    values, file = written

    found = {some: some.encode() in file for some in values[value]}

    assert set(found.values()) == {documented()[value]}, found


def test_what_is_said_to_be_readable_is_said_in_bold_and_nothing_is_claimed_beyond() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert sum(documented().values()) == text.count("| **readable** |")
    assert "cannot be read without the keys" not in text


WORDS = {value for value, readable in documented().items() if not readable} - ELSEWHERE - {
    "secrets of sessions, API tokens and calendars", "the secret of links, references and the ledger of consents",
}  # fmt: skip


def test_once_the_rows_of_an_earlier_version_are_sealed_no_word_of_theirs_is_left_in_any_byte(tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path / 'kigen.db'}", "2026-12-01 08:00"
    with open_village(url, tmp_path, now, two_way_sms=True, line_token="invented") as village:
        values = lived(village)
        keys = village.app.keys
        with village.app.database.writing() as tx:
            unseal(tx, keys)
            # As it was before the program that seals words.
            tx.execute(delete(ServiceState).where(ServiceState.name.startswith("rows_")))
        village.app.database.empty_log()
    words = {word for name in WORDS for word in values[name]}
    # Texts, replies and cells were sealed before, and so were addresses.
    plain_before = {word for word in words if word.encode() in bytes_of(tmp_path)}
    assert plain_before >= {
        "カワセミ",
        "松の間",
        "三階",
        "K-77",
        "つばめ",
        "三女",
        "ひまわり会",
        "バスの券",
        "台帳の写し",
    }

    with open_village(
        url, tmp_path, now, two_way_sms=True, line_token="invented", secret_keys=keys.written()
    ) as village:
        with village.app.database.reading() as tx:
            assert people.of_group(tx, 1)[0].label == "カワセミ"
        assert {word for word in words if word.encode() in bytes_of(tmp_path)} == set()
    assert {word for word in words if word.encode() in bytes_of(tmp_path)} == set()
