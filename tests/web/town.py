"""A household with members of each role, and everything that a route may name, beside a stranger's household."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import inspect

from reminder.domain.model.people import ChannelName, Role
from tests.village import Village, open_village
from tests.web.browsing import Browser


@dataclass
class Town:
    """A household with a member of each role, and a stranger who has a household of their own."""

    village: Village
    members: dict[Role, Browser]
    stranger: Browser
    ids: dict[str, int]


@contextmanager
def open_town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", durable=False) as village:
        owner = Browser(village)
        owner.sign_in("owner@example.jp")
        members = {Role.OWNER: owner}
        for role in (Role.EDITOR, Role.VIEWER):
            owner.get("/settings/members")
            owner.submit("/settings/members", email=f"{role}@example.jp", role=role)
            members[role] = browser = Browser(village)
            browser.sign_in(f"{role}@example.jp")
            browser.get("/welcome")
            invitation = next(form.action for form in browser.forms if form.action.startswith("/invitations/"))
            browser.submit(invitation, answer="yes")
        village._group = 1
        person = village.person("母", phone="090-0000-0001")
        card = village.card("母", date(2027, 2, 20))
        kind = village.own_kind("道場の会員証")
        owner.get("/settings/members")
        owner.submit("/settings/members", email="late@example.jp", role="viewer")
        owner.get("/settings/calendar")
        owner.submit("/settings/calendar")
        owner.get("/settings/tokens")
        owner.submit("/settings/tokens", token_name="介護ソフト", scope="read")
        owner.get("/imports")
        owner.send_file("/imports", "residents.csv", "居室,氏名,電子証明書期限\n201,ハナ,2027-11-16\n".encode())
        stranger = Browser(village)
        stranger.sign_in("tanin@example.jp", household="他人家")
        phone = next(one.id for one in village_contacts(village) if one.channel is ChannelName.SMS)
        ids = {
            "person_id": person,
            "card_id": card,
            "contact_id": phone,
            "member_id": _editor(village),
            "invitation_id": 3,
            "session_id": 1,
            "passkey_id": 1,
            "token_id": 1,
            "feed_id": 1,
            "import_id": 1,
            "kind_id": kind,
        }
        yield Town(village, members, stranger, ids)


def _editor(village: Village) -> int:
    from reminder.storage.auth import accounts

    with village.app.database.reading() as tx:
        return next(one.id for one in accounts.members(tx, village.app.keys, 1) if one.role is Role.EDITOR)


def village_contacts(village: Village) -> list[object]:
    from reminder.storage.registry import contacts

    with village.app.database.reading() as tx:
        return contacts.of_group(tx, village.app.keys, None)


def everything(village: Village, *but: str) -> str:
    """All rows but those that say when and how often somebody was here; `but`: further tables to leave out."""
    with village.app.database.engine.connect() as connection:
        return "\n".join(
            f"{table}: {sorted(map(str, connection.exec_driver_sql(f'SELECT * FROM {table}')))}"
            for table in sorted(inspect(connection).get_table_names())
            if table not in ("sessions", "request_rates", *but)
        )
