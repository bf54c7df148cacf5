"""Webhooks of Twilio: the check of their signature, and the parsers of receipts, calls and texts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, get_signature_algorithm

from reminder.domain.model.provider_history import ListedText

Form = Mapping[str, str] | Sequence[tuple[str, str]]

_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_STATUS = re.compile(r"[a-z][a-z_]{0,19}")
_MACHINES = ("machine", "fax")
_ERROR_CODE = re.compile(r"[1-9][0-9]{3,5}")
_SECONDS = re.compile(r"[0-9]{1,6}")
_ANSWERED_BY = re.compile(r"[a-z_]{1,20}")


@dataclass(frozen=True)
class StatusReceipt:
    """A report about a message or a call.

    `status` is Twilio's word (queued, sent, delivered …; of a call: completed, busy, no_answer …; machine where one has
    answered); `error_code` is for twilio.errors. `seconds`: how long a call lasted.
    """

    provider_id: str
    status: str
    error_code: int | None
    seconds: int | None = None


class _Fields(dict[str, list[str]]):
    """A form in which a field may occur several times, in the SDK's shape."""

    def getall(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self[name]


class TwilioSignature:
    """The check of webhook signatures.

    `tokens`: one, or two while the operator changes it. `public_url` is the configured address, never the Host header.
    """

    def __init__(self, tokens: Sequence[str], public_url: str) -> None:
        # With an empty token anybody could sign.
        self._validators = [RequestValidator(token) for token in tokens if token]
        self._public_url = public_url.rstrip("/")

    def is_valid(self, path: str, query: str, form: Form, signature: str | None, settings: str | None = None) -> bool:
        """Return whether the signature is valid; anything wrong, missing or malformed is not. Never raises.

        `path` and `query` are raw, as received; `form` keeps blank fields; `settings` is the header
        X-Twilio-Webhooks-Signature-Settings.
        """
        # Of a JSON webhook Twilio signs only the address and a hash of its body; we accept only forms.
        if not signature or "bodySHA256" in query:
            return False
        url = f"{self._public_url}{path}" + (f"?{query}" if query else "")
        try:
            algorithm = get_signature_algorithm(settings).upper()
            if algorithm not in (HMAC_SHA1, HMAC_SHA256):
                return False
            fields = _fields(form)
            for validator in self._validators:
                if validator.validate(url, fields, signature, algorithm):
                    return True
        except Exception:  # noqa: BLE001  # the SDK names nowhere what it raises on input that Twilio never sends
            # Uncaught, anybody could cause a 500.
            return False
        return False


def parse_status(form: Form) -> StatusReceipt | None:
    """Return the report; None where the form has no message or no status.

    Call it only for a form with a valid signature.
    """
    fields = _fields(form)
    provider_id = _first(fields, ("MessageSid", "SmsSid", "CallSid"))
    status = read_status(_first(fields, ("MessageStatus", "SmsStatus", "CallStatus")), _answered_by(fields))
    if not _SID.fullmatch(provider_id) or not status:
        return None
    error_code, seconds = _first(fields, ("ErrorCode",)), _first(fields, ("CallDuration",))
    return StatusReceipt(
        provider_id,
        status,
        int(error_code) if _ERROR_CODE.fullmatch(error_code) else None,
        int(seconds) if _SECONDS.fullmatch(seconds) else None,
    )


def read_listed_text(provider_id: object, sender: object, text: object, at: datetime | None) -> ListedText | None:
    """Return an inbound text of a list; None for one without an id or a sender."""
    if not is_sid(provider_id) or not sender:
        return None
    return ListedText(str(provider_id), str(sender), str(text or ""), at)


def is_sid(value: object) -> bool:
    """Return whether this is an id of Twilio's."""
    return isinstance(value, str) and _SID.fullmatch(value) is not None


def read_status(word: str, answered_by: str = "") -> str:
    """Return Twilio's word for a state as receipts have it, "" for none; a call that a machine has taken: machine."""
    status = word.replace("-", "_")
    if status == "completed" and _is_machine(answered_by):
        return "machine"
    return status if _STATUS.fullmatch(status) else ""


def _answered_by(fields: _Fields) -> str:
    said = _first(fields, ("AnsweredBy",))
    return said if _ANSWERED_BY.fullmatch(said) else ""


def _is_machine(answered_by: str) -> bool:
    return answered_by.startswith(_MACHINES)


@dataclass(frozen=True)
class CallTurn:
    """A turn of a call: whether a human or a machine answered, and the pressed key ("" for none).

    `answered_by`: Twilio's word for it, "" where it says nothing.
    """

    provider_id: str
    is_machine: bool
    key: str
    answered_by: str = ""


def parse_call(form: Form) -> CallTurn | None:
    """Return the turn of a call; None where the form has no call. Call it only for a form with a valid signature."""
    fields = _fields(form)
    provider_id = _first(fields, ("CallSid",))
    if not _SID.fullmatch(provider_id):
        return None
    key = _first(fields, ("Digits",))
    answered_by = _answered_by(fields)
    return CallTurn(provider_id, _is_machine(answered_by), key if len(key) == 1 else "", answered_by)


@dataclass(frozen=True)
class Inbound:
    """A text to our own number. `sender` is in Twilio's form, E.164."""

    provider_id: str
    sender: str
    text: str


def parse_inbound(form: Form) -> Inbound | None:
    """Return the text; None without a sender or an id. Call it only for a form with a valid signature."""
    fields = _fields(form)
    provider_id = _first(fields, ("MessageSid", "SmsSid"))
    sender = _first(fields, ("From",))
    if not _SID.fullmatch(provider_id) or not sender:
        return None
    return Inbound(provider_id, sender, _first(fields, ("Body",)))


def _fields(form: Form) -> _Fields:
    pairs: Iterable[tuple[str, str]] = form.items() if isinstance(form, Mapping) else form
    fields = _Fields()
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _first(fields: _Fields, names: Iterable[str]) -> str:
    return next((fields[name][0] for name in names if fields.get(name)), "")
