"""HEAD wherever GET is: monitors and balancers ask so, and a refused HEAD is a false alarm."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reminder.domain.model.people import Role
from reminder.web.app import create_web
from tests.web.asking import visitor
from tests.web.every_route import every_route
from tests.web.town import Town, open_town

# Of these one answer differs from the next: they say the hour, or make a file anew.
VARIES = {"content-length", "set-cookie", "date", "etag", "last-modified"}


@pytest.fixture
def town(sqlite_url: str, tmp_path: Path) -> Iterator[Town]:
    with open_town(sqlite_url, tmp_path) as opened:
        yield opened


def test_every_page_and_file_answers_head_as_get_without_a_body(town: Town) -> None:
    owner, anybody = town.members[Role.OWNER], visitor(town.village)
    gets = [one for one in every_route(create_web(town.village.app, local_pages=True)) if one.method == "GET"]
    assert len(gets) > 50
    for route in gets:
        path = route.at(**{**town.ids, "name": "house.css"})
        for who, ask in (("owner", owner._ask), ("anybody", None)):
            got = ask("GET", path, b"", {}) if ask else anybody.ask("GET", path)
            head = ask("HEAD", path, b"", {}) if ask else anybody.ask("HEAD", path)

            assert head.body == b"", (who, path)
            assert head.status == got.status, (who, path)
            assert head.headers.keys() - VARIES == got.headers.keys() - VARIES, (who, path)
            kept = {name for name in got.headers if name not in VARIES}
            assert {name: head.headers[name] for name in kept} == {name: got.headers[name] for name in kept}


def test_what_only_takes_forms_refuses_head_as_it_refuses_get(town: Town) -> None:
    anybody = visitor(town.village)

    assert [anybody.ask(method, "/sign-out").status for method in ("GET", "HEAD")] == [405, 405]
