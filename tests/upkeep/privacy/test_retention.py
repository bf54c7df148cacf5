"""Forgetting: each thing stays for its time and not a day longer, and what is still needed stays."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from reminder.domain.model.access import Actor
from reminder.domain.model.messages import LEASE
from reminder.domain.model.people import ChannelName, Language, Mode, Role
from reminder.enrolment.identity import membership, sign_in
from reminder.planning.planner import plan_due
from reminder.storage.auth import sessions
from reminder.storage.outbox import leases, receipts
from reminder.storage.runtime import heartbeats
from reminder.upkeep.privacy import retention
from reminder.upkeep.privacy.retention import apply_retention
from reminder.worker.jobs import run_once
from tests.village import Village, japan

END = date(2027, 3, 31)
EMAIL = "musume@example.jp"
MORNING = "2027-03-17 09:00"


def count(village: Village, table: str, where: str = "1 = 1") -> int:
    with village.app.database.reading() as tx:
        return tx.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one()


def worded(village: Village) -> int:
    return count(village, "messages", "body_sealed IS NOT NULL")


def ask_for_code(village: Village) -> str:
    with village.app.writing() as uow:
        return sign_in.ask_for_code(
            uow, email=EMAIL, network="192.0.2.1", browser=None, language=Language.JAPANESE, sign_up=True
        )


@pytest.fixture
def told(talking_village: Village) -> Village:
    """A father who was told on the 17th of March at nine, and has answered."""
    talking_village.person("父", phone="090-0000-0002", mode=Mode.STANDARD)
    talking_village.card("父", END)
    talking_village.sleep_until(MORNING)
    talking_village.run_until(MORNING)
    talking_village.answers("父", "むすこに きいて みます")
    return talking_village


def test_words_are_forgotten_after_90_days_and_that_something_was_told_is_not(told: Village) -> None:
    before = count(told, "messages")
    told.clock.move_to(told.now + timedelta(days=89))
    apply_retention(told.app.database, told.now)
    assert (worded(told), count(told, "replies", "body_sealed IS NOT NULL")) == (before, 1)

    told.clock.move_to(told.now + timedelta(days=2))
    forgotten = apply_retention(told.app.database, told.now)

    assert forgotten == before + 1
    assert (worded(told), count(told, "replies", "body_sealed IS NOT NULL")) == (0, 0)
    assert (count(told, "messages"), count(told, "replies")) == (before, 1)


def test_words_that_a_provider_may_still_be_asked_about_are_kept(told: Village) -> None:
    with told.app.database.writing() as tx:
        tx.execute(text("UPDATE messages SET state = 'unknown'"))
    waiting = worded(told)

    apply_retention(told.app.database, told.now + timedelta(days=200))

    assert worded(told) == waiting


def test_words_of_what_ended_late_are_kept_from_then_on(told: Village) -> None:
    with told.app.database.writing() as tx:
        late = (told.now + timedelta(days=10)).replace(tzinfo=None)
        tx.execute(text("UPDATE messages SET ended_at = :late"), {"late": late})
    waiting = worded(told)

    apply_retention(told.app.database, told.now + timedelta(days=95))
    assert worded(told) == waiting
    apply_retention(told.app.database, told.now + timedelta(days=101))

    assert worded(told) == 0


@pytest.mark.parametrize(("days", "left"), [(6, 1), (8, 0)])
def test_an_email_with_a_code_and_the_address_it_went_to_stays_a_week(village: Village, days: int, left: int) -> None:
    ask_for_code(village)
    run_once(village.app, village.now)

    apply_retention(village.app.database, village.now + timedelta(days=days))

    assert count(village, "messages", "contact_id IS NULL") == left


def test_an_invitation_that_still_waits_to_be_sent_is_not_forgotten(village: Village) -> None:
    invite(village)

    apply_retention(village.app.database, village.now + timedelta(days=8))

    assert village.states() == ["queued"]


def invite(village: Village) -> int:
    village.member("娘", EMAIL)
    who = Actor(1, 1, Role.OWNER, Language.JAPANESE)
    app = village.app
    with app.units.writing(village.now) as uow:
        return membership.invite(uow, who=who, email="mago@example.jp", role=Role.VIEWER)


@pytest.mark.parametrize(("hours", "left"), [(23, 1), (25, 0)])
def test_that_a_code_was_asked_for_is_known_for_a_day(village: Village, hours: int, left: int) -> None:
    ask_for_code(village)

    apply_retention(village.app.database, village.now + timedelta(hours=hours))

    assert count(village, "login_codes") == left


@pytest.mark.parametrize(("hours", "left"), [(23, 1), (25, 0)])
def test_what_a_passkey_was_to_sign_is_kept_for_a_day(village: Village, hours: int, left: int) -> None:
    with village.app.writing() as uow:
        challenge = sign_in.new_challenge(uow.keys, uow.now, None)
        assert sign_in.use_challenge(uow, challenge, None)

    apply_retention(village.app.database, village.now + sign_in.CHALLENGE_LASTS + timedelta(hours=hours))

    assert count(village, "challenges") == left


@pytest.mark.parametrize(("hours", "left"), [(23, 1), (25, 0)])
def test_what_a_program_was_answered_is_kept_for_a_day(village: Village, hours: int, left: int) -> None:
    village.member("娘", EMAIL)
    with village.app.database.writing() as tx:
        at = {"at": village.now.replace(tzinfo=None)}
        tx.execute(
            text(
                "INSERT INTO api_tokens (id, group_id, made_by, name, token_hash, scopes, created_at) "
                "VALUES (1, 1, 1, '表計算', 'x', 'read', :at)"
            ),
            at,
        )
        tx.execute(
            text(
                "INSERT INTO idempotency_keys (id, token_id, key_hash, request_hash, created_at) VALUES (1, 1, 'x', 'x', :at)"
            ),
            at,
        )

    apply_retention(village.app.database, village.now + timedelta(hours=hours))

    assert count(village, "idempotency_keys") == left


@pytest.mark.parametrize(
    ("is_taken_back", "days", "left", "why"),
    [
        (True, 29, 1, "taken back today"),
        (True, 31, 0, "a month ago"),
        (False, 43, 1, "it lasted a fortnight"),
        (False, 45, 0, "a month and a fortnight ago"),
    ],
)
def test_an_invitation_is_forgotten_a_month_after_its_end(
    village: Village, is_taken_back: bool, days: int, left: int, why: str
) -> None:
    invitation = invite(village)
    if is_taken_back:
        who = Actor(1, 1, Role.OWNER, Language.JAPANESE)
        with village.app.writing() as uow:
            membership.take_back(uow, who=who, invitation_id=invitation)

    apply_retention(village.app.database, village.now + timedelta(days=days))

    assert count(village, "invitations") == left, why


@pytest.mark.parametrize(
    ("is_revoked", "days", "left", "why"),
    [
        (True, 29, 1, "left today"),
        (True, 31, 0, "a month ago"),
        (False, 39, 1, "it lasted ten days"),
        (False, 41, 0, "a month and ten days ago"),
    ],
)
def test_a_session_is_forgotten_a_month_after_its_end(
    village: Village, is_revoked: bool, days: int, left: int, why: str
) -> None:
    with village.app.database.writing() as tx:
        at = {"at": village.now.replace(tzinfo=None)}
        tx.execute(
            text(
                "INSERT INTO accounts (id, address_sealed, address_index, language, created_at) "
                "VALUES (1, 'x', 'x', 'ja', :at)"
            ),
            at,
        )
        session = sessions.add(
            tx,
            village.app.keys,
            account_id=1,
            member_id=None,
            token_hash=b"x",
            device="Firefox",
            now=village.now,
            expires_at=village.now + timedelta(days=10),
        )
        if is_revoked:
            sessions.revoke(tx, 1, session, village.now)

    apply_retention(village.app.database, village.now + timedelta(days=days))

    assert count(village, "sessions") == left, why


def test_the_job_is_due_once_a_day_and_on_until_nothing_is_left(told: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    with told.app.database.writing() as tx:
        tx.execute(text("UPDATE cards SET retired_at = created_at"))
    before, used = worded(told), count(told, "group_usage")
    told.clock.move_to(told.now + timedelta(days=95))

    passes = []
    while deleted := run_once(told.app, told.now)["deleted"]:
        passes.append(deleted)

    assert before > 1
    assert sum(passes) == before + 1 + used
    assert len(passes) == before
    with told.app.database.reading() as tx:
        assert heartbeats.last(tx, heartbeats.RETENTION) == told.now
    assert run_once(told.app, told.now).total == 0


def test_whoever_is_sending_a_message_is_not_disturbed(told: Village) -> None:
    told.sleep_until("2027-03-24 09:00")
    with told.app.database.writing() as tx:
        tx.execute(text("UPDATE messages SET state = 'queued', expires_at = '2029-01-01' WHERE id = 1"))
        rows = leases.pick_due_and_end_stale(tx, ChannelName.SMS, now=told.now, limit=1).ready
        leases.lease(tx, [row.id for row in rows], until=told.now + LEASE)
        leased = leases.decrypt(told.app.keys, rows, told.now, told.now + LEASE).leased
        assert len(leases.begin_hand_over(tx, leased, told.now)) == 1

    apply_retention(told.app.database, told.now + timedelta(days=120))

    assert [row.id for row in rows] == [1]
    assert count(told, "messages", "id = 1 AND body_sealed IS NOT NULL") == 1


@pytest.mark.parametrize(
    ("kept_for", "days", "left"),
    [
        (None, 2000, 1),  # for ever, where nobody says otherwise
        (400, 399, 1),
        (400, 401, 0),
    ],
)
def test_a_message_goes_with_its_receipts_when_its_operator_s_days_are_over(
    village: Village, kept_for: int | None, days: int, left: int
) -> None:
    village.person("父", phone="090-0000-0002", mode=Mode.STANDARD)
    village.card("父", END)
    village.sleep_until(MORNING)
    village.run_until(MORNING)
    with village.app.database.writing() as tx:
        named = tx.execute(text("SELECT provider_id FROM messages")).scalar_one()
        receipts.keep(tx, provider_id=named, status="delivered", error_code=None, message_id=None, now=village.now)
    run_once(village.app, village.now)
    told_of = count(village, "reminders")
    village.clock.move_to(village.now + timedelta(days=days))

    apply_retention(village.app.database, village.now, kept_for)

    assert count(village, "messages") == left
    assert count(village, "receipts") == left
    assert count(village, "reminders") == told_of > 0, "that it was told stays"


def test_a_message_that_still_waits_is_kept_however_old_it_is(village: Village) -> None:
    village.person("父", phone="090-0000-0002", mode=Mode.STANDARD)
    village.card("父", END)
    plan_due(village.app.units, japan(MORNING))
    village.clock.move_to(village.now + timedelta(days=2000))

    apply_retention(village.app.database, village.now, 400)

    assert count(village, "messages", "state = 'queued'") == 1
