"""What a provider's error code means for us: whose fault it is, and so what happens next."""

from collections.abc import Mapping
from enum import StrEnum

from reminder.domain.people import ChannelName


class Fault(StrEnum):
    NUMBER = "number"  # this number will never take a text: tell the carer, use another way
    OPTED_OUT = "opted_out"  # its owner told the provider to stop
    OPERATOR = "operator"  # sender, text or setting: the operator must act, trying again changes nothing
    ACCOUNT = "account"  # nothing can be sent at all: the whole channel waits
    RETRY = "retry"  # not now, perhaps later


# Meanings: twilio.com/docs/api/errors, read 2026-11.
_TWILIO: Mapping[Fault, frozenset[int]] = {
    Fault.NUMBER: frozenset(
        {
            21211,  # not a phone number
            21214,  # cannot be reached
            21217,  # not a valid number
            21401,  # not a valid number
            21614,  # not a mobile: every Japanese landline
            30005,  # unknown to its carrier
            30006,  # a landline, or a carrier that takes no texts
        }
    ),
    Fault.OPTED_OUT: frozenset({21610}),
    Fault.OPERATOR: frozenset(
        {
            *(21212, 21603, 21606, 21703, 21704, 21705),  # the sender cannot be used (for this country)
            *(21602, 21604, 21609, 21617, 21620, 90007),  # a part of the request is missing, too long or wrong
            *(21408, 21608, 30018, 30024),  # not allowed: country, trial account, sender not registered
            *(30004, 30007),  # blocked or filtered on the way
            *range(35111, 35119),  # scheduling, which we never ask for
            20404,  # no such account or address
        }
    ),
    Fault.ACCOUNT: frozenset(
        {
            20003,  # wrong account or token
            20005,  # account not active
            30002,  # account suspended
            63038,  # the day's limit is used up
        }
    ),
    Fault.RETRY: frozenset(
        {
            *(20429, 20500, 20503, 30410),  # the provider is busy or ill
            *(14107, 21611, 30001, 30017, 30036),  # queues: full, congested, waited too long
            *(30003, 30008),  # the phone is off; unknown reason
            21612,  # not this number from this sender, which says nothing about the others
        }
    ),
}
_FAULT_OF = {code: fault for fault, codes in _TWILIO.items() for code in codes}


def fault_of_twilio(code: int | None, http_status: int | None = None) -> Fault:
    """`code` is Twilio's own, from an answer or from a receipt's ErrorCode; `http_status` decides where it is unknown.

    The SDK puts the HTTP status into the code where an answer names none, so a code below 600 is read as a status.
    """
    if code in _FAULT_OF:
        return _FAULT_OF[code]
    status = http_status if http_status is not None else code
    if status in (401, 403):
        return Fault.ACCOUNT
    has_own_code = code is not None and code >= 600
    if has_own_code or status is None or status in (408, 429) or not 300 <= status < 500:
        # A code that nobody knows yet may be about this one text: it must not hold up everybody else's.
        return Fault.RETRY
    # Whoever answers so is not Twilio, or does not know the account.
    return Fault.OPERATOR


class Why(StrEnum):
    """Why something did not arrive, as whoever looks after a person needs to know it."""

    NUMBER = "number"
    REFUSED = "refused"
    AWAY = "away"
    OURS = "ours"
    LATER = "later"


_PHONE_IS_OFF = 30003
_BY_FAULT = {
    Fault.NUMBER: Why.NUMBER,
    Fault.OPTED_OUT: Why.REFUSED,
    Fault.OPERATOR: Why.OURS,
    Fault.ACCOUNT: Why.OURS,
    Fault.RETRY: Why.LATER,
}


def why(channel: ChannelName, reason: str | None) -> Why:
    """`reason`: what a message that failed keeps. Our own fault is called ours."""
    if reason == "address":
        return Why.NUMBER
    if reason is None or not (reason.isascii() and reason.isdecimal()):
        return Why.LATER
    code = int(reason)
    if channel in (ChannelName.SMS, ChannelName.VOICE):
        return Why.AWAY if code == _PHONE_IS_OFF else _BY_FAULT[fault_of_twilio(code)]
    # SMTP: there is no such address.
    return Why.NUMBER if code in (550, 551, 553) else Why.LATER
