"""The pages: is it alive, can it work, what is enrolled and sent, and the link that stops e-mails."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from reminder.domain.model.people import ChannelName, Role
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.registry import contacts
from reminder.storage.runtime import heartbeats
from reminder.worker.jobs import run_once
from tests.links import MailedLinks
from tests.village import Village, open_village
from tests.web.asking import Visitor, visitor, web_of

END = date(2027, 3, 31)


@pytest.fixture
def small_village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    """On SQLite only, for what does not depend on the database."""
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


def run_a_pass(village: Village) -> None:
    run_once(village.app, village.now)


def change(village: Village, statement: str) -> None:
    with village.app.database.writing() as tx:
        tx.execute(text(statement))


# ── alive and ready ──


def troubles(village: Village) -> list[str]:
    answer = visitor(village, local_pages=False).get("/readyz")
    assert answer.json["ready"] is (answer.status == 200)
    assert answer.status in (200, 503)
    return list(answer.json["troubles"])


def test_before_the_first_pass_it_is_alive_and_not_ready(village: Village) -> None:
    browser = visitor(village, local_pages=False)

    ready = browser.get("/readyz")

    assert (browser.get("/healthz").status, browser.get("/healthz").json) == (200, {"alive": True})
    assert (ready.status, ready.json) == (503, {"ready": False, "troubles": ["worker_silent"], "last_pass": None})


def test_after_a_pass_it_is_ready_and_says_when_that_was(village: Village) -> None:
    run_a_pass(village)

    ready = visitor(village).get("/readyz")

    assert ready.status == 200
    assert ready.json == {"ready": True, "troubles": [], "last_pass": "2026-11-30T23:00:00+00:00"}


@pytest.mark.parametrize(
    ("silence", "expected"),
    [
        (timedelta(minutes=4, seconds=59), []),
        (timedelta(minutes=5), []),
        (timedelta(minutes=5, seconds=1), ["worker_silent"]),
        (timedelta(days=30), ["worker_silent"]),
    ],
    ids=str,
)
def test_a_worker_that_is_silent_for_more_than_five_minutes_is_a_trouble(
    village: Village, silence: timedelta, expected: list[str]
) -> None:
    run_a_pass(village)

    village.clock.move_to(village.now + silence)

    assert troubles(village) == expected


def test_the_next_pass_ends_the_trouble(village: Village) -> None:
    run_a_pass(village)
    village.clock.move_to(village.now + timedelta(hours=1))

    run_a_pass(village)

    assert troubles(village) == []


def test_a_card_that_no_pass_could_look_at_on_its_day_is_a_trouble(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)  # first looked at on 4 January
    for instant, expected in (("2027-01-05 00:59", []), ("2027-01-05 01:00", ["cards_overdue"])):
        village.sleep_until(instant)
        with village.app.database.writing() as tx:
            heartbeats.record(tx, heartbeats.PASS, village.now)

        assert troubles(village) == expected


def test_a_channel_that_waits_for_the_operator_is_a_trouble_until_it_was_tried_again(village: Village) -> None:
    run_a_pass(village)
    with village.app.database.writing() as tx:
        heartbeats.pause(tx, "sms", "21212", now=village.now, until=village.now + timedelta(minutes=2))
    assert troubles(village) == ["channel_paused_sms"]

    village.clock.move_to(village.now + timedelta(minutes=3))
    assert troubles(village) == ["channel_paused_sms"], "its pause is over, and nobody knows yet whether it works"

    village.clock.move_to(village.now + timedelta(minutes=1))
    assert troubles(village) == []


@pytest.mark.parametrize(
    ("statement", "trouble"),
    [
        ("DELETE FROM alembic_version", "database_behind"),
        ("DROP TABLE alembic_version", "database_behind"),
        ("UPDATE alembic_version SET version_num = 'of tomorrow'", "database_ahead"),
    ],
)
def test_a_database_of_another_version_is_a_trouble_and_the_process_is_still_alive(
    village: Village, statement: str, trouble: str
) -> None:
    run_a_pass(village)

    change(village, statement)

    assert troubles(village) == [trouble]
    assert visitor(village).get("/healthz").status == 200


def test_a_database_out_of_reach_is_a_trouble_while_it_is_away(small_village: Village, tmp_path: Path) -> None:
    run_a_pass(small_village)
    kept = tmp_path / "kigen.db"
    small_village.app.database.close()
    kept.rename(tmp_path / "away.db")
    kept.mkdir()
    browser = visitor(small_village)

    away = [browser.get(target) for target in ("/healthz", "/readyz", "/overview")]
    kept.rmdir()
    (tmp_path / "away.db").rename(kept)

    assert [answer.status for answer in away] == [200, 503, 503]
    assert away[1].json["troubles"] == ["database_unreachable"]
    assert away[2].json["code"] == "database_unreachable"
    assert str(tmp_path) not in away[1].everything + away[2].everything
    assert troubles(small_village) == []


# ── what is enrolled and sent ──


@pytest.mark.parametrize(
    ("machine", "host", "headers", "is_shown", "why"),
    [
        ("127.0.0.1", "127.0.0.1:8000", {}, True, "the machine itself"),
        ("127.0.0.1", "localhost:8000", {}, True, "by its other name"),
        ("127.0.0.1", "localhost", {}, True, "on the usual port"),
        ("::1", "[::1]:8000", {}, True, "by IPv6"),
        ("::1", "[::1]", {}, True, "by IPv6, on the usual port"),
        ("192.0.2.1", "127.0.0.1:8000", {}, False, "another machine"),
        ("127.0.0.1", "kigen.example.jp", {}, False, "a name that leads here: a page elsewhere could read ours"),
        ("127.0.0.1", "localhost.example.jp", {}, False, "only begins like it"),
        ("127.0.0.1", "127.0.0.1.example.jp:8000", {}, False, "only begins like it"),
        ("127.0.0.1", "127.0.0.1:8000:x", {}, False, "no name at all"),
        ("127.0.0.1", "", {}, False, "no name at all"),
        ("127.0.0.1", "127.0.0.1:8000", {"x-forwarded-for": "192.0.2.1"}, False, "through a proxy"),
        ("127.0.0.1", "127.0.0.1:8000", {"x-forwarded-for": "127.0.0.1"}, False, "through a proxy that says little"),
        ("127.0.0.1", "127.0.0.1:8000", {"x-forwarded-host": "kigen.example.jp"}, False, "through a proxy"),
        ("127.0.0.1", "127.0.0.1:8000", {"x-forwarded-proto": "https"}, False, "through a proxy"),
        ("127.0.0.1", "127.0.0.1:8000", {"forwarded": "for=192.0.2.1"}, False, "through a proxy of the standard"),
        ("127.0.0.1", "127.0.0.1:8000", {"x-real-ip": "192.0.2.1"}, False, "through a proxy"),
        ("127.0.0.1", "127.0.0.1:8000", {"via": "1.1 proxy"}, False, "through a proxy"),
    ],
)
def test_the_pages_without_sign_in_are_there_only_for_the_machine_itself(
    small_village: Village, machine: str, host: str, headers: Mapping[str, str], is_shown: bool, why: str
) -> None:
    web = web_of(small_village, local_pages=True)
    browser = Visitor(web, machine=machine, host=host, headers=headers)

    answers = [browser.get("/overview"), browser.get("/outbox"), browser.get("/balance"), browser.get("/effect")]

    assert [answer.status for answer in answers] == [200 if is_shown else 404] * 4, why
    if not is_shown:
        assert [answer.body for answer in answers] == [browser.get("/nowhere").body] * 4, (
            "as if there were no such page"
        )


@pytest.mark.parametrize("target", ["/overview", "/outbox", "/balance", "/effect"])
def test_a_service_for_others_has_no_pages_without_sign_in(small_village: Village, target: str) -> None:
    answer = visitor(small_village, local_pages=False).get(target)

    assert (answer.status, answer.json["code"]) == (404, "page_not_found")


def test_the_first_page_of_an_empty_house_says_how_to_begin(small_village: Village) -> None:
    page = visitor(small_village).get("/overview")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "reminder group add" in page.text
    assert "まだ一度も確認していません" in page.text


def test_the_page_shows_dates_and_who_is_told_and_no_whole_number_or_address(village: Village) -> None:
    village.person("母", phone="090-0000-0001", mark="つばめ", reference="203")
    village.contact("母", ChannelName.EMAIL, "musume@example.jp", family="娘")
    village.card("母", END)
    run_a_pass(village)

    page = visitor(village).get("/overview").text

    for shown in ("母", "田中家", "203", "2027年3月31日", "令和9年3月31日", "2027年1月4日", "2026年12月1日 08:00"):
        assert shown in page
    assert "090-****-0001" in page
    assert "m***@example.jp" in page
    for hidden in ("0000-0001", "9000000001", "musume", "<strong>5分"):
        assert hidden not in page


def test_what_keeps_it_from_working_stands_on_the_page(small_village: Village) -> None:
    run_a_pass(small_village)
    small_village.clock.move_to(small_village.now + timedelta(hours=1))

    assert "期限の確認がありません" in visitor(small_village).get("/overview").text


def test_a_card_that_was_retired_is_not_on_the_page(small_village: Village) -> None:
    small_village.person("母", phone="090-0000-0001")
    card_id = small_village.card("母", END)
    small_village.retire(card_id)

    assert "2027年3月31日" not in visitor(small_village).get("/overview").text


def test_the_outbox_shows_each_text_with_what_became_of_it(village: Village) -> None:
    village.person("母", phone="090-0000-0001", mark="つばめ")
    village.card("母", END)
    village.run_until("2027-01-31 00:00")
    browser = visitor(village)

    page = browser.get("/outbox").text

    assert village.words_to("母")
    for words in village.words_to("母"):
        assert words.splitlines()[0] in page
    assert "090-****-0001" in page
    assert "9000000001" not in page
    assert "2027年1月30日 09:00" in page
    assert '<a href="/outbox?state=accepted">送信済み</a> 2' in page


def test_the_outbox_can_be_asked_for_one_state_and_knows_no_others(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)
    village.run_until("2027-01-31 00:00")
    browser = visitor(village)

    assert "3月31日" in browser.get("/outbox?state=accepted").text
    assert "3月31日" not in browser.get("/outbox?state=failed").text
    for unknown in ("", "lost", "%00", "accepted'--"):
        assert browser.get(f"/outbox?state={unknown}").json["code"] == "request_malformed"


def test_words_that_people_typed_never_become_part_of_the_page(village: Village) -> None:
    village.group(name="<i>田中</i>&家")
    village.member("娘", "musume@example.jp", role=Role.OWNER)
    village.person("<b>母</b>", phone="090-0000-0001", mark="<u>鳥", reference="'\"><s>")
    village.card("<b>母</b>", END)
    village.run_until("2027-03-31 23:00")
    browser = visitor(village)

    enrolled, sent = browser.get("/overview").text, browser.get("/outbox").text

    for typed in ("<b>", "<i>", "<u>", "<s>", "&家"):
        assert typed not in enrolled
        assert typed not in sent
    assert "&lt;b&gt;母&lt;/b&gt;" in enrolled
    assert "&lt;i&gt;田中&lt;/i&gt;&amp;家" in enrolled
    assert "&lt;u&gt;鳥" in sent
    assert "&lt;b&gt;母" in sent


def test_the_balance_shows_what_became_of_each_day_and_names_nobody(village: Village) -> None:
    browser = visitor(village)
    assert "まだ一日も数えていません" in browser.get("/balance").text
    village.person("母", phone="090-0000-0001", mark="つばめ")
    village.card("母", END)
    village.run_until("2027-01-04 18:30")
    village.sleep_until("2027-01-04 19:00")
    run_a_pass(village)

    page = browser.get("/balance").text

    assert "SMS：予定 1件　届いた 1、別の方法で届いた 0、人に引き継いだ 0、まだ 0、不明 0（1人）　送信 1通" in page
    assert "2027年1月4日" in page or "1月4日（月）" in page
    assert "母" not in page


# ── the stop link ──


def state_of(village: Village, contact_id: int) -> str:
    with village.app.database.reading() as tx:
        return next(c.state for c in contacts.of_group(tx, village.app.keys, None) if c.id == contact_id)


def link_of(village: Village, contact_id: int) -> str:
    return MailedLinks(village.app).stop(contact_id)


@pytest.fixture
def son(village: Village) -> int:
    """A mother's son who agreed to e-mails."""
    village.person("母", phone="090-0000-0001")
    village.card("母", END)
    return village.contact("母", ChannelName.EMAIL, "musuko@example.jp", family="息子")


def test_following_the_stop_link_only_asks(village: Village, son: int) -> None:
    page = visitor(village, local_pages=False).get(link_of(village, son))

    assert page.status == 200
    assert '<form method="post">' in page.text
    assert "止めますか" in page.text
    assert state_of(village, son) == "confirmed", "a scanner that follows every link stops nobody"


@pytest.mark.parametrize("body", [b"", b"List-Unsubscribe=One-Click"], ids=["by the button", "by the mail program"])
def test_pressing_the_button_stops_and_a_second_time_changes_nothing(village: Village, son: int, body: bytes) -> None:
    browser = visitor(village, local_pages=False)

    for _ in range(2):
        page = browser.post(link_of(village, son), body)

        assert page.status == 200
        assert "止めました" in page.text
        assert state_of(village, son) == "opted_out"


def test_who_stopped_gets_nothing_more_and_the_others_still_do(village: Village, son: int) -> None:
    village.run_until("2027-02-26 00:00")
    told = village.texts_to("息子")

    visitor(village, local_pages=False).post(link_of(village, son))
    village.run_until("2027-04-30 00:00")

    assert told, "he was told before"
    assert village.texts_to("息子") == told
    assert "03-31 09:00" in village.texts_to("母")


def test_what_was_planned_for_who_stopped_is_cancelled_at_once(village: Village, son: int) -> None:
    def waiting() -> list[str]:
        return [message.state for message in village.messages() if message.contact_id == son]

    village.sleep_until("2027-03-31 08:30")
    run_a_pass(village)
    assert waiting() == ["queued"]

    visitor(village, local_pages=False).post(link_of(village, son))

    assert waiting() == ["cancelled"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 405)])
def test_no_other_method_stops_anybody(village: Village, son: int, method: str, status: int) -> None:
    answer = visitor(village, local_pages=False).ask(method, link_of(village, son))

    assert answer.status == status
    assert state_of(village, son) == "confirmed"


def _one_letter_changed(village: Village, son: int) -> str:
    link = link_of(village, son)
    return link[:-1] + ("a" if link[-1] != "a" else "b")


WRONG: list[tuple[Callable[[Village, int], str], str]] = [
    (_one_letter_changed, "one letter is wrong"),
    (lambda village, son: link_of(village, son)[:-1], "one letter is missing"),
    (lambda village, son: link_of(village, son).upper(), "in capitals, even its first word"),
    (lambda village, son: link_of(village, son + 1), "of a contact that is not there"),
    (lambda village, son: f"/stop/{son}/{village.app.keys.sign(str(son), 'stop')}", "signed as before references"),
    (lambda village, son: f"/stop/{son}/x", "a guess"),
    (lambda village, son: f"/stop/{son}/あ", "no letter of ours"),
    (lambda village, son: f"/stop/{son}/", "no mark"),
    (
        lambda village, son: f"/stop/{read_keys([new_key()]).references.make('stop', [son], village.now)}",
        "made with another key",
    ),
    (lambda village, son: f"/stop/{son}/{village.app.keys.sign(str(son), 'sign-in')}", "made for another purpose"),
    (lambda village, son: link_of(village, son).replace("/stop/", "/reached/"), "pressed on another page"),
    (lambda village, son: f"/stop/{MailedLinks(village.app).reached(son).rpartition('/')[2]}", "of another page"),
]


@pytest.mark.parametrize(("wrong", "why"), [pytest.param(*row, id=row[1]) for row in WRONG])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_we_did_not_make_is_not_found_and_stops_nobody(
    village: Village, son: int, wrong: Callable[[Village, int], str], why: str, method: str
) -> None:
    answer = visitor(village, local_pages=False).ask(method, wrong(village, son))

    assert answer.status == 404, why
    assert state_of(village, son) == "confirmed"


def test_the_link_of_somebody_who_is_no_longer_kept_is_not_found(village: Village, son: int) -> None:
    assert visitor(village).post(link_of(village, son + 90)).status == 404
