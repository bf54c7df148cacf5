"""What a mail server's no means: of this reader, of this mail, or of us."""

import re
from enum import Enum

import aiosmtplib

from reminder.channels.email.errors import fault_of_refusal
from reminder.domain.model.channels import Fault
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

# So many readers forbidden by policy with nothing taken in between: that is about us.
FORBIDDEN_IN_A_ROW = 3

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")


class Step(Enum):
    """What was being done when the server said no: it decides whose fault a no is."""

    GREETING = "greeting"
    RECIPIENT = "recipient"
    CONTENT = "content"


def meaning(refused: aiosmtplib.SMTPResponseException, step: Step) -> ChannelError:
    """A server's no. Its enhanced code (RFC 3463) says more than the three digits."""
    enhanced = _ENHANCED.match(refused.message)
    reason = ".".join(enhanced.groups()) if enhanced else str(refused.code)
    if 400 <= refused.code < 500:
        return TemporaryChannelError(reason)
    if not 500 <= refused.code < 600:
        return UnknownOutcomeError("unreadable") if step is Step.CONTENT else TemporaryChannelError("unreadable")
    if step is Step.GREETING:
        return SetupChannelError(reason)
    fault = fault_of_refusal(refused.code, reason if enhanced else None, of_recipient=step is Step.RECIPIENT)
    # "Relay access denied" is said of the recipient; taken at its word, one wrong setting would write off everybody.
    if fault is not Fault.OPERATOR and (reason.startswith("5.7.") or "relay" in refused.message.lower()):
        return AgainstPolicyError(reason)
    match fault:
        case Fault.OPERATOR:
            return SetupChannelError(reason)
        case Fault.RETRY:
            return TemporaryChannelError(reason)
        case _:
            return PermanentChannelError(reason, address_is_gone=fault is Fault.NUMBER)


class AgainstPolicyError(ChannelError):
    """A server's policy forbids this mail: because of its reader, or because of who we are."""


class Policy:
    """Whom a server's policy forbids us to write to. What it says of one reader must not stop everybody's mail, and
    what it says of us must not end everybody's, one by one: so the first no is tried again, and what the server has
    meanwhile taken of others decides."""

    def __init__(self) -> None:
        self._refused: set[str] = set()  # since it last took a mail
        self._apart: set[str] = set()  # refused before, while others' mail was taken

    def meaning(self, recipient: str, reason: str) -> ChannelError:
        if recipient in self._apart:
            return PermanentChannelError(reason, address_is_gone=False)
        is_first = recipient not in self._refused and len(self._refused) < FORBIDDEN_IN_A_ROW - 1
        self._refused.add(recipient)
        return TemporaryChannelError(reason) if is_first else SetupChannelError(reason)

    def taken(self, recipient: str) -> None:
        self._apart = (self._apart | self._refused) - {recipient}
        self._refused.clear()
