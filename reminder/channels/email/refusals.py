"""The meaning of a mail server's refusal: about this recipient, this mail, or us."""

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

# This many recipients refused by policy, with nothing accepted in between: the cause is ours.
FORBIDDEN_IN_A_ROW = 3

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")


class SmtpStage(Enum):
    """The step of the conversation at which the server refused: it decides whose fault a refusal is."""

    GREETING = "greeting"
    RECIPIENT = "recipient"
    CONTENT = "content"


def meaning(refused: aiosmtplib.SMTPResponseException, step: SmtpStage) -> ChannelError:
    """Return the error for a refusal. Its enhanced code (RFC 3463) is more precise than the three digits."""
    enhanced = _ENHANCED.match(refused.message)
    reason = ".".join(enhanced.groups()) if enhanced else str(refused.code)
    if 400 <= refused.code < 500:
        # After DATA it has the whole mail: some servers refuse what they have already passed on.
        return TemporaryChannelError(reason, maybe_taken=step is SmtpStage.CONTENT)
    if not 500 <= refused.code < 600:
        return UnknownOutcomeError("unreadable") if step is SmtpStage.CONTENT else TemporaryChannelError("unreadable")
    if step is SmtpStage.GREETING:
        return SetupChannelError(reason)
    fault = fault_of_refusal(refused.code, reason if enhanced else None, of_recipient=step is SmtpStage.RECIPIENT)
    # "Relay access denied" names the recipient; taken literally, one wrong setting would give up every address.
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
    """A server's policy refuses this mail: because of its recipient, or because of our identity."""


class Policy:
    """The record of refusals by a server's policy.

    A refusal because of one recipient must not stop everybody's mail, and one because of us must not give up all
    addresses, one by one: so the first refusal is retried, and the mails that the server accepted meanwhile decide.
    """

    def __init__(self) -> None:
        self._refused: set[str] = set()  # since it last accepted a mail
        self._apart: set[str] = set()  # refused before, while other mails were accepted

    def meaning(self, recipient: str, reason: str) -> ChannelError:
        """Return the error for a refusal of this recipient by policy."""
        if recipient in self._apart:
            return PermanentChannelError(reason, address_is_gone=False)
        is_first = recipient not in self._refused and len(self._refused) < FORBIDDEN_IN_A_ROW - 1
        self._refused.add(recipient)
        return TemporaryChannelError(reason) if is_first else SetupChannelError(reason)

    def taken(self, recipient: str) -> None:
        """Record that the server has accepted a mail to this recipient."""
        self._apart = (self._apart | self._refused) - {recipient}
        self._refused.clear()
