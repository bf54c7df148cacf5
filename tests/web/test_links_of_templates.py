"""Whatever a page offers leads to a page or an act that there is: every link, form and button of every template."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from starlette.routing import Match, Router

from reminder.web.app import create_web
from tests.village import Village

TEMPLATES = Path(__file__).parents[2] / "reminder" / "web" / "templates"
FILES = sorted(TEMPLATES.rglob("*.html"))

_TAG = re.compile(r"<(?:a|form|button|input|link|script|img|div|section)\b(?:[^>{]|\{\{.*?\}\}|\{%.*?%\})*>", re.DOTALL)
_LEADS = re.compile(
    r"""\b(href|src|action|formaction|hx-get|hx-post)="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\})*)\"""", re.DOTALL
)
# What macros make of it: act("/cards/" ~ card.id ~ "/retire", …) is a form that posts.
_ACT = re.compile(r"""\bact\(((?:"[^"]*"|[^,"])*),""")
_VALUE, _STATEMENT = re.compile(r"\{\{.*?\}\}", re.DOTALL), re.compile(r"\{%.*?%\}", re.DOTALL)


def offers(source: str) -> Iterator[tuple[str, str]]:
    """Yield the method and the path of everything that a template offers; a value in a path is 1."""
    form_posts = False
    for tag in _TAG.findall(source):
        if tag.startswith("<form"):
            form_posts = 'method="post"' in tag
        for attribute, target in _LEADS.findall(tag):
            posts = attribute == "hx-post" or (attribute in ("action", "formaction") and form_posts)
            yield "POST" if posts else "GET", _STATEMENT.sub("", _VALUE.sub("1", target))
    for written in _ACT.findall(source):
        parts = [part.strip() for part in written.split("~")]
        yield "POST", "".join(part.strip('"') if part.startswith('"') else "1" for part in parts)


def test_everything_a_template_offers_leads_somewhere(
    fresh_village_factory: Callable[..., AbstractContextManager[Village]],
) -> None:
    with fresh_village_factory() as village:
        router = create_web(village.app, local_pages=True).router
    nowhere = [
        (str(file.relative_to(TEMPLATES)), method, path)
        for file in FILES
        for method, path in sorted(set(offers(file.read_text("utf-8"))))
        if path.startswith("/") and not leads_somewhere(router, method, path.split("?")[0])
    ]

    assert nowhere == []


def test_enough_is_found_in_the_templates_to_prove_something() -> None:
    found = {offer for file in FILES for offer in offers(file.read_text("utf-8")) if offer[1].startswith("/")}

    assert len(found) > 80
    assert {("POST", "/cards/1/retire"), ("POST", "/sign-out"), ("GET", "/people/1/edit")} <= found


def leads_somewhere(router: Router, method: str, path: str) -> bool:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in router.routes)
