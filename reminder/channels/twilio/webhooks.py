"""Whether a webhook really comes from Twilio, and what it says: of a message of ours, or of what somebody texted."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, get_signature_algorithm

Form = Mapping[str, str] | Sequence[tuple[str, str]]

_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_STATUS = re.compile(r"[a-z][a-z_]{0,19}")
_ERROR_CODE = re.compile(r"[1-9][0-9]{3,5}")


@dataclass(frozen=True)
class StatusReceipt:
    """`status` is Twilio's word (queued, sent, delivered … of a call: completed, busy, no_answer …; machine where one
    has answered); `error_code` is for domain.provider_codes."""

    provider_id: str
    status: str
    error_code: int | None


class _Fields(dict[str, list[str]]):
    """A form in which a field may stand several times, in the shape the SDK reads."""

    def getall(self, name: str) -> list[str]:
        return self[name]


class TwilioSignature:
    """`tokens`: one, or two while the operator changes it. `public_url` is the configured address, never the
    Host header."""

    def __init__(self, tokens: Sequence[str], public_url: str) -> None:
        # An empty token would let anybody sign.
        self._validators = [RequestValidator(token) for token in tokens if token]
        self._public_url = public_url.rstrip("/")

    def is_valid(self, path: str, query: str, form: Form, signature: str | None, settings: str | None = None) -> bool:
        """False for whatever is wrong, missing or strange; never raises.

        `path` and `query` are raw, as they came over the wire; `form` keeps blank fields; `settings` is the header
        X-Twilio-Webhooks-Signature-Settings.
        """
        # Twilio signs only the address of a JSON webhook and a hash of its body; we take forms, so this is not for us.
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
        except (TypeError, ValueError, LookupError, AttributeError):
            # The SDK raises on input that no honest sender makes; an uncaught one would be a 500 for anybody to cause.
            pass
        return False


def parse_status(form: Form) -> StatusReceipt | None:
    """None where the form names no message or no status. Call it only for a form whose signature is valid."""
    fields = _fields(form)
    provider_id = _first(fields, ("MessageSid", "SmsSid", "CallSid"))
    status = _first(fields, ("MessageStatus", "SmsStatus", "CallStatus")).replace("-", "_")
    if status == "completed" and _is_machine(fields):
        status = "machine"
    if not _SID.fullmatch(provider_id) or not _STATUS.fullmatch(status):
        return None
    error_code = _first(fields, ("ErrorCode",))
    return StatusReceipt(provider_id, status, int(error_code) if _ERROR_CODE.fullmatch(error_code) else None)


def _is_machine(fields: _Fields) -> bool:
    return _first(fields, ("AnsweredBy",)).startswith(("machine", "fax"))


@dataclass(frozen=True)
class OnCall:
    """A turn of a call: who has answered, and the key that was pressed ("" for none)."""

    provider_id: str
    is_machine: bool
    key: str


def parse_call(form: Form) -> OnCall | None:
    """None where it names no call. Call it only for a form whose signature is valid."""
    fields = _fields(form)
    provider_id = _first(fields, ("CallSid",))
    if not _SID.fullmatch(provider_id):
        return None
    key = _first(fields, ("Digits",))
    return OnCall(provider_id, _is_machine(fields), key if len(key) == 1 else "")


@dataclass(frozen=True)
class Inbound:
    """A text to our own number. `sender` is as Twilio writes it, E.164."""

    provider_id: str
    sender: str
    text: str


def parse_inbound(form: Form) -> Inbound | None:
    """None where it has no sender or no id. Call it only for a form whose signature is valid."""
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
