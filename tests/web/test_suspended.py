"""A suspended group changes nothing and sends nothing but the confirmation of a stop; its people read why."""

import pytest

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import Role
from reminder.enrolment import standing
from reminder.web.app import create_web
from reminder.web.declared import Asks
from tests.web.calling import described, program, token_of
from tests.web.declared_routes import declared_routes
from tests.web.test_rights import ACTS, Town, addresses, ask, doors, everything, town

__all__ = ["town"]
WHY = "問い合わせのため"


def suspend(town: Town) -> None:
    with town.village.app.writing() as uow:
        standing.suspend(uow, group_id=1, why=WHY)


def stored(town: Town) -> str:
    """All rows but the counts of requests."""
    return "\n".join(row for row in everything(town.village).splitlines() if not row.startswith("request_rates:"))


def test_no_page_of_a_suspended_group_changes_anything(town: Town) -> None:
    suspend(town)
    before = stored(town)
    owner = town.members[Role.OWNER]
    writing = [
        door
        for door in doors(create_web(town.village.app, local_pages=True))
        if door.method == "POST" and door.rule == "right" and door.path not in exports(town)
    ]

    answers = {
        (door.path, address): ask(owner, door, address)
        for door in writing
        for address in addresses(door, town.ids) or [door.path]
    }

    assert len(answers) > len(ACTS) + 15
    assert {key: status for key, status in answers.items() if status != 403} == {}
    assert stored(town) == before


def exports(town: Town) -> set[str]:
    web = create_web(town.village.app, local_pages=False)
    return {one.path for one in declared_routes(web) if one.declared.asks is Asks.EXPORT}


def test_its_people_still_get_what_is_held_of_them(town: Town) -> None:
    suspend(town)
    owner = town.members[Role.OWNER]
    for path in exports(town):
        owner.get("/settings")
        answer = owner.post(path.replace("{import_id}", "1"), [("seal", owner.seal)])
        assert answer.status == 200, path
        assert "attachment" in answer.headers["content-disposition"], path


def test_its_pages_can_be_read_and_say_why(town: Town) -> None:
    suspend(town)

    for browser in town.members.values():
        assert browser.get("/").status == 200
        assert WHY in browser.page.text
    assert WHY not in town.stranger.get("/").text


def test_no_program_of_a_suspended_group_changes_anything(town: Town) -> None:
    api = program(town.village, token_of(town.village, 1))
    theirs = program(town.village, token_of(town.village, 4))
    suspend(town)
    assert api.get("/people").status == 200
    before = stored(town)

    for one in described():
        path = one.at(
            **{
                name: town.ids.get(name, 1)
                for name in ("person_id", "contact_id", "card_id", "kind_id", "import_id", "message_id")
            }
        )
        if one.method == "GET":
            continue
        answer = api.ask(one.method, path, one.example, {"content-type": one.media})
        assert (answer.status, answer.json["code"]) == (403, "group_suspended"), one.id
        assert WHY in answer.json["detail"]

    assert stored(town) == before
    assert theirs.post("/people", {"label": "父"}).status == 201


@pytest.mark.parametrize("act", ["take", "reached"])
def test_its_signed_links_change_nothing_but_the_stop_works(town: Town, act: str) -> None:
    from reminder.storage.auth.signed_links import SignedLinks
    from tests.web.asking import visitor

    links = SignedLinks(town.village.app.keys, "https://kigen.example.jp", in_carer_mail=True)
    contact, card = town.ids["contact_id"], town.ids["card_id"]
    suspend(town)
    browser = visitor(town.village, local_pages=False)
    link = links.take(card, contact, town.village.now) if act == "take" else links.reached(contact, town.village.now)

    refused = browser.ask("POST", link.removeprefix("https://kigen.example.jp"), b"")
    stopped = browser.ask("POST", links.stop(contact, town.village.now).removeprefix("https://kigen.example.jp"), b"")

    assert refused.status == 403
    assert stopped.status == 200


def test_nothing_is_sent_meanwhile_and_nothing_is_lost(town: Town) -> None:
    village = town.village
    suspend(town)

    village.run_until("2026-12-20 12:00")
    assert village.texts_to("母") == []
    assert MessageState.STALE not in village.states()
    with village.app.writing() as uow:
        standing.resume(uow, group_id=1)
    village.run_until("2027-01-31 12:00")

    resumed = village.texts_to("母")
    assert resumed
    assert resumed[0] >= "01-" or resumed[0].startswith("12-2")
