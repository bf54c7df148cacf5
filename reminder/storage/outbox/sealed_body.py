"""The sealed subject and text of a message."""

import json
from typing import NamedTuple

from reminder.domain.model.people import Language
from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing, SealedValue
from reminder.storage.db.tables import MESSAGE_BODY

BODY = MESSAGE_BODY


class Body(NamedTuple):
    """The content of a message.

    `language` is that of an e-mail, None for one stored before messages recorded it.
    """

    subject: str | None
    text: str
    language: Language | None = None


def seal_body(
    keys: KeyRing, subject: str | None, text: str, language: Language | None = None, *, row_token: bytes | None = None
) -> bytes:
    """Return the subject and text, sealed for the message with this token."""
    body = Body(subject, text, language) if language else (subject, text)
    return keys.seal(json.dumps(body, ensure_ascii=False), BODY, row_token)


def open_body(keys: KeyRing, sealed: SealedValue | bytes) -> Body:
    """Return the content of a sealed body; raises SettingsError where its key is gone."""
    body = Body(*json.loads(keys.open(sealed, BODY)))
    return body if body.language is None else body._replace(language=Language(body.language))


def readable(keys: KeyRing, sealed: SealedValue | bytes | None) -> tuple[str | None, str | None]:
    """Return the subject and the text, both None where the key is gone, so that a list still shows its other rows."""
    try:
        return (None, None) if sealed is None else open_body(keys, sealed)[:2]
    except SettingsError:
        return None, None
