"""Somebody before a browser without JavaScript: keeps cookies, follows redirects, fills in forms as they stand."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from tests.village import Village
from tests.web.asking import Answer, Visitor, web_of

Fields = list[tuple[str, str]]
Typed = str | list[str] | None


@dataclass
class Form:
    action: str
    method: str
    fields: Fields = field(default_factory=list)  # as they stand, without buttons
    buttons: Fields = field(default_factory=list)


class _Forms(HTMLParser):
    """Every form of a page, with what its fields hold."""

    def __init__(self, page: str, path: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._path = path
        self._form: Form | None = None
        self._select = ""
        self._disabled = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(has.get("action") or self._path, has.get("method", "get"))
            self.found.append(self._form)
        elif tag == "fieldset":
            self._disabled = "disabled" in has
        elif self._form is None:
            return
        elif tag == "input" and "name" in has and not self._disabled:
            if has.get("type") not in ("radio", "checkbox") or "checked" in has:
                self._form.fields.append((has["name"], has.get("value", "")))
        elif tag == "select":
            self._select = has["name"]
        elif tag == "option" and self._select and "selected" in has:
            self._form.fields.append((self._select, has["value"]))
        elif tag == "button" and has.get("type") != "button":
            self._form.buttons.append((has.get("name", ""), has.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""


class Browser:
    """`headers`: what it says of itself at every request. `page` is what it shows."""

    def __init__(self, village: Village, **headers: str) -> None:
        self.visitor = Visitor(web_of(village, local_pages=False))
        self.village = village
        self.headers = {"accept": "text/html", **headers}
        self.cookies: dict[str, str] = {}
        self.page: Answer = Answer(0, {}, b"")
        self.path = ""

    def get(self, path: str) -> Answer:
        return self._show(self._ask("GET", path, b"", {}), path)

    def submit(self, action: str, **typed: Typed) -> Answer:
        """Fills in the form with this action on the page, over what stands there; None leaves a field out."""
        form = next(one for one in self.forms if one.action == action)
        fields = [(name, value) for name, value in form.fields if name not in typed]
        for name, value in typed.items():
            fields += [(name, one) for one in (value if isinstance(value, list) else [value]) if one is not None]
        return self.post(action, fields)

    def post(self, path: str, fields: Fields, **headers: str) -> Answer:
        said = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": f"http://{self.visitor.host}",
            "sec-fetch-site": "same-origin",
            **headers,
        }
        return self._show(self._ask("POST", path, urlencode(fields).encode(), said), path)

    def send(self, path: str, **typed: str) -> Answer:
        """Sends a form of no page, with the seal of one."""
        self.get("/settings")
        return self.post(path, [("seal", self.seal), *typed.items()])

    def send_file(self, path: str, name: str, content: bytes, **typed: str) -> Answer:
        """As a browser sends a form with a file in it."""
        mark = "----------a-village"
        parts = [
            *(
                f'--{mark}\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
                for field, value in {"seal": self.seal, **typed}.items()
            ),
            f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'.encode(),
            b"content-type: application/octet-stream\r\n\r\n" + content + b"\r\n",
            f"--{mark}--\r\n".encode(),
        ]
        said = {
            "content-type": f"multipart/form-data; boundary={mark}",
            "origin": f"http://{self.visitor.host}",
            "sec-fetch-site": "same-origin",
        }
        return self._show(self._ask("POST", path, b"".join(parts), said), path)

    @property
    def forms(self) -> list[Form]:
        return _Forms(self.page.text, self.path).found

    @property
    def heading(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.page.text, re.DOTALL)
        return "" if found is None else re.sub(r"<[^>]+>", "", found[1]).strip()

    @property
    def seal(self) -> str:
        return next((value for form in self.forms for name, value in form.fields if name == "seal"), "")

    def sign_in(self, email: str, *, household: str = "田中家", name: str = "長女") -> None:
        """By the code out of the mail; a new address makes a household."""
        self.get("/sign-in")
        self.submit("/sign-in", email=email)
        self.village.pass_once()
        self.submit("/sign-in/code", code=self.village.code_to(email))
        if self.path == "/welcome" and any(form.action == "/welcome" for form in self.forms):
            self.submit("/welcome", group_name=household, member_name=name)
            # A household on trial has tests of its own.
            self.village.approve_all()

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        said = {**self.headers, **headers}
        if self.cookies:
            said["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.visitor.ask(method, path, body, headers=said)
        for line in answer.cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    def _show(self, answer: Answer, path: str) -> Answer:
        self.page, self.path = answer, path
        if answer.status == 303:
            return self.get(answer.headers["location"])
        return answer
