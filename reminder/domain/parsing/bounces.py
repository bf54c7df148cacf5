"""Parser of bounces: mails that report the delivery of an earlier message of ours.

Each mail may leave with a return path of its own (VERP), `bounces+{reference}@…`: the bounce is sent there, whatever
else it holds. Without one the message is found by our Message-ID, `<{reference}@…>`, which most bounces repeat. Nothing
else in a bounce names a message: whoever may write one is a stranger.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

# The headers in which Postfix and other servers record the address a bounce was sent to.
_SENT_TO = ("To", "Delivered-To", "X-Original-To", "Envelope-To")
_RETURN_PATH = re.compile(r"\+([a-z]{20,60})@")
_OLD_RETURN_PATH = re.compile(r"\+([1-9][0-9]{0,17})-([a-p]{32})@")
_MAIL_ID = re.compile(r"<([a-z]{20,60})@[A-Za-z0-9.-]{1,253}>", re.IGNORECASE)
_OLD_MAIL_ID = re.compile(r"<m[1-9][0-9]{0,17}\.[0-9]{1,12}@[A-Za-z0-9.-]{1,253}>")
_STATUS = re.compile(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
# Anybody may send such a mail: of a header only so many characters are read.
_LONGEST = 2000
_ACTIONS = {"failed": True, "delayed": False}  # whether it is final


@dataclass(frozen=True)
class Bounce:
    """A report that claims to be about one message of ours; whoever acts on it checks what names the message.

    `paths`: the references in the return path; `old_paths`: ids and signatures in one from before references;
    `mail_ids`: what may be references in the Message-IDs that came back. All are empty where only a Message-ID from
    before came back, which proves nothing. `status`: the enhanced code; `is_final`: it is not tried again.
    """

    paths: frozenset[str]
    old_paths: frozenset[tuple[int, str]]
    mail_ids: frozenset[str]
    status: str
    is_final: bool


def return_path(bounce_address: str, reference: str) -> str:
    """Return the return path of one message, below the operator's bounce address."""
    local, _, domain = bounce_address.rpartition("@")
    return f"{local}+{reference}@{domain}"


def read_report(mail: bytes) -> Bounce | None:
    """Return the bounce in a delivery status notification (RFC 3464), whole or cut short.

    None for any other mail that arrives there: automatic holiday answers, complaints, advertising.
    """
    try:
        return _read(message_from_bytes(mail))
    except Exception:  # noqa: BLE001  # the parser names nowhere what it raises for a malformed mail
        # A bounce that cannot be read says nothing.
        return None


def read_returned(mail: bytes) -> frozenset[str]:
    """Return what may be references in the Message-ID of a mail that is no report; empty for any other mail.

    A mailbox that sends a mail on leaves its Message-ID as it is.
    """
    try:
        named = message_from_bytes(mail).get_all("Message-ID", [])
        return frozenset(found[1].lower() for one in named[:2] for found in _MAIL_ID.finditer(str(one)[:_LONGEST]))
    except Exception:  # noqa: BLE001  # as above
        return frozenset()


def _read(mail: Message) -> Bounce | None:
    parts = _parts_of_report(mail)
    reported = next((found for part in parts for found in _reported_statuses(part)), None)
    if reported is None:
        return None
    status, is_final = reported
    sent_to = " ".join(str(value) for name in _SENT_TO for value in mail.get_all(name, []))
    mail_ids = " ".join(mail_id for part in parts for mail_id in _mail_ids(part))
    return named(sent_to, mail_ids, status, is_final=is_final)


def _parts_of_report(mail: Message) -> Sequence[Message]:
    """Return the parts of the first report in the mail, and of nothing that the report itself returns.

    What stands inside of a returned mail is its sender's word, and names nothing.
    """
    for part in mail.walk():
        inner = part.get_payload() if part.is_multipart() else None
        parts = [one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else []
        if any(one.get_content_type() == "message/delivery-status" for one in parts):
            return parts
    return ()


def named(sent_to: str, mail_id: str, status: str, *, is_final: bool) -> Bounce | None:
    """Return a bounce of which only these facts are known. `mail_id`: one Message-ID, or several with their brackets.

    None where it does not even claim to name a message of ours, or has no status.
    """
    said, addressed = _STATUS.search(status[:_LONGEST]), sent_to[:_LONGEST].lower()
    mail_id = mail_id[:_LONGEST]
    if said is None:
        return None
    paths = {found[1] for found in _RETURN_PATH.finditer(addressed)}
    old_paths = {(int(found[1]), found[2]) for found in _OLD_RETURN_PATH.finditer(addressed)}
    mail_ids = {found[1].lower() for found in _MAIL_ID.finditer(mail_id)}
    if not (paths or old_paths or mail_ids or _OLD_MAIL_ID.search(mail_id)):
        return None
    return Bounce(frozenset(paths), frozenset(old_paths), frozenset(mail_ids), status=said[1], is_final=is_final)


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
        # Some servers encode them, as base64 or as quoted-printable.
        content = part.get_payload(decode=True)
        yield str(message_from_bytes(content if isinstance(content, bytes) else b"").get("Message-ID", ""))
    elif part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            yield str(inner[0].get("Message-ID", ""))
