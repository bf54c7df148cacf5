"""The activity log has a line for every act that matters when somebody asks who did, or read, what."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from reminder.domain.model.people import ChannelName, Role
from reminder.enrolment.identity import sign_in
from reminder.storage.db.tables import ActivityEntry
from reminder.upkeep import key_rotation
from tests.village import Village, open_village
from tests.web.browsing import Browser
from tests.web.calling import program, token_of

ME, OTHER = "musume@example.jp", "musuko@example.jp"


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(database_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@pytest.fixture
def owner(village: Village) -> Browser:
    browser = Browser(village)
    browser.sign_in(ME)
    village._group = 1
    village.person("母", phone="090-0000-0001")
    return browser


def lines(village: Village) -> list[tuple[str, int | None, int | None]]:
    with village.app.database.reading() as tx:
        rows = tx.execute(
            select(ActivityEntry.act, ActivityEntry.group_id, ActivityEntry.member_id).order_by(ActivityEntry.id)
        )
        return [(act, group_id, member_id) for act, group_id, member_id in rows]


def sign_in_again(owner: Browser) -> None:
    owner.village.clock.move_to(owner.village.now + timedelta(minutes=5))
    Browser(owner.village).sign_in(ME)


def sign_out(owner: Browser) -> None:
    owner.get("/settings")
    owner.submit("/sign-out")


def sign_another_out(owner: Browser) -> None:
    sign_in_again(owner)
    owner.get("/settings/devices")
    owner.submit(next(one.action for one in owner.forms if one.action.startswith("/settings/devices/")))


def sign_all_out(owner: Browser) -> None:
    sign_in_again(owner)
    owner.get("/settings/devices")
    owner.submit("/settings/devices")


def add_passkey(owner: Browser) -> None:
    app = owner.village.app
    found = sign_in.session_of(app.units, owner.village.now, owner.cookies["kigen"])
    assert found is not None
    with app.writing() as uow:
        sign_in.add_passkey(uow, found, credential_id=b"id", public_key=b"key", sign_count=0, device="iPhone")


def remove_passkey(owner: Browser) -> None:
    add_passkey(owner)
    owner.get("/settings/devices")
    owner.submit("/settings/passkeys/1")


def make_token(owner: Browser) -> None:
    owner.get("/settings/tokens")
    owner.submit("/settings/tokens", token_name="介護ソフト", scope="read")


def revoke_token(owner: Browser) -> None:
    make_token(owner)
    owner.submit("/settings/tokens/1")


def change_role(owner: Browser) -> None:
    owner.village.member("息子", OTHER, Role.VIEWER)
    owner.get("/settings/members")
    owner.submit("/settings/members/2", role="editor")


def read_address(owner: Browser) -> None:
    phone = next(one.id for one in _contacts(owner.village) if one.channel is ChannelName.SMS)
    assert program(owner.village, token_of(owner.village, 1)).get(f"/contacts/{phone}").status == 200


def _contacts(village: Village):  # type: ignore[no-untyped-def]
    from reminder.storage.registry import contacts

    with village.app.database.reading() as tx:
        return contacts.of_group(tx, village.app.keys, None)


ACTS: dict[str, tuple[Callable[[Browser], object], int | None]] = {
    "signed_in": (sign_in_again, 1),
    "signed_out": (sign_out, 1),
    "device_signed_out": (sign_another_out, 1),
    "devices_signed_out": (sign_all_out, 1),
    "passkey_added": (add_passkey, 1),
    "passkey_removed": (remove_passkey, 1),
    "token_made": (make_token, 1),
    "token_revoked": (revoke_token, 1),
    "member_changed": (change_role, 2),
    "exported": (lambda owner: owner.send("/settings/data/export.json"), 1),
    "exported as a page": (lambda owner: owner.send("/settings/data/export.html"), 1),
    "address_read": (read_address, 1),
}


@pytest.mark.parametrize("named", ACTS)
def test_an_act_leaves_a_line_of_its_group_that_names_who(owner: Browser, named: str) -> None:
    do, member = ACTS[named]
    before = len(lines(owner.village))

    do(owner)

    act = named.partition(" ")[0]
    assert (act, 1, member) in lines(owner.village)[before:]


def test_nobody_s_passkey_or_device_leaves_no_line(owner: Browser) -> None:
    owner.get("/settings/devices")
    before = lines(owner.village)

    for address in ("/settings/passkeys/99", "/settings/devices/99"):
        assert owner.post(address, [("seal", owner.seal)]).status in (403, 404)
        owner.get("/settings/devices")

    assert lines(owner.village) == before


def test_a_change_of_keys_leaves_a_line(owner: Browser) -> None:
    village = owner.village
    key_rotation.rotate(village.app.units, village.now, lambda name, count: None)

    assert ("keys_rotated", None, None) in lines(village)
