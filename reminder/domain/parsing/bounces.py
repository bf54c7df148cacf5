"""Parser of bounces: mails that report the delivery of an earlier message of ours.

Each mail may leave with a return path of its own (VERP), `bounces+17-{mark}@…`: the bounce is sent there, whatever else
it holds. Without one the message is found by our Message-ID, which most bounces repeat.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.errors import MessageError
from email.message import Message

# The headers in which Postfix and other servers record the address a bounce was sent to.
_SENT_TO = ("To", "Delivered-To", "X-Original-To", "Envelope-To")
_RETURN_PATH = re.compile(r"\+([1-9][0-9]{0,17})-([a-p]{32})@")
_MAIL_ID = re.compile(r"<m([1-9][0-9]{0,17})\.[0-9]{1,12}@[A-Za-z0-9.-]{1,253}>")
_STATUS = re.compile(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
# Anybody may send such a mail: of a header only so many characters are read.
_LONGEST = 2000
_ACTIONS = {"failed": True, "delayed": False}  # whether it is final


@dataclass(frozen=True)
class Bounce:
    """A report about one message of ours.

    `mark`: from the return path, to be checked against our keys; `mail_id`: our Message-ID as it came back, where there
    was no return path of its own. `status`: the enhanced code; `is_final`: it is not tried again.
    """

    message_id: int
    mark: str | None
    mail_id: str | None
    status: str
    is_final: bool


def return_path(bounce_address: str, message_id: int, mark: str) -> str:
    """Return the return path of one message, below the operator's bounce address."""
    local, _, domain = bounce_address.rpartition("@")
    return f"{local}+{message_id}-{mark}@{domain}"


def read_report(mail: bytes) -> Bounce | None:
    """Return the bounce in a delivery status notification (RFC 3464), whole or cut short.

    None for any other mail that arrives there: automatic holiday answers, complaints, advertising.
    """
    try:
        return _read(message_from_bytes(mail))
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The parser fails on some malformed mails; a bounce that cannot be read says nothing.
        return None


def _read(mail: Message) -> Bounce | None:
    parts = list(mail.walk())
    reported = next((found for part in parts for found in _reported_statuses(part)), None)
    if reported is None:
        return None
    status, is_final = reported
    sent_to = " ".join(str(value) for name in _SENT_TO for value in mail.get_all(name, []))
    mail_ids = (mail_id for part in parts for mail_id in _mail_ids(part))
    return named(sent_to, next(mail_ids, ""), status, is_final=is_final)


def named(sent_to: str, mail_id: str, status: str, *, is_final: bool) -> Bounce | None:
    """Return a bounce of which only these facts are known.

    None where it names no message of ours, or has no status.
    """
    said = _STATUS.search(status[:_LONGEST])
    path, repeated = _RETURN_PATH.search(sent_to[:_LONGEST].lower()), _MAIL_ID.search(mail_id[:_LONGEST])
    if said is None:
        return None
    if path is not None:
        return Bounce(int(path[1]), path[2], None, said[1], is_final)
    return None if repeated is None else Bounce(int(repeated[1]), None, repeated[0], said[1], is_final)


def _reported_statuses(part: Message) -> Iterator[tuple[str, bool]]:
    """Yield the report's enhanced code for each recipient, and whether it is final."""
    if part.get_content_type() != "message/delivery-status":
        return
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Message):
            continue
        is_final = _ACTIONS.get(str(block.get("Action", "")).strip().lower())
        status = _STATUS.search(str(block.get("Status", ""))[:_LONGEST])
        if is_final is None or status is None:
            continue
        # "5.0.0" says nothing; the other server's own text may.
        exact = _STATUS.search(str(block.get("Diagnostic-Code", ""))[:_LONGEST]) if status[1].endswith(".0.0") else None
        yield (exact or status)[1], is_final


def _mail_ids(part: Message) -> Iterator[str]:
    """Yield the Message-ID of the returned mail, which is attached whole or as its headers."""
    if part.get_content_type() == "text/rfc822-headers":
        content = part.get_payload()
        yield str(message_from_string(content if isinstance(content, str) else "").get("Message-ID", ""))
    elif part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            yield str(inner[0].get("Message-ID", ""))
