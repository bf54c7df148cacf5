"""What a provider's error code means for us: whose fault it is, and so what happens next. A table a provider."""

from collections.abc import Mapping
from enum import StrEnum

from reminder.domain.people import ChannelName


class Fault(StrEnum):
    NUMBER = "number"  # this number or address will never take it: given up, told another way, the family hears
    OPTED_OUT = "opted_out"  # its owner told the provider to stop
    TEXT = "text"  # this one text to this one number: another way is tried, and all others go on
    OPERATOR = "operator"  # sender or setting: the channel waits for the operator, trying again changes nothing
    ACCOUNT = "account"  # nothing can be sent at all: the whole channel waits
    RETRY = "retry"  # not now, perhaps later
    UNSURE = "unsure"  # the provider itself does not know whether it arrived: ask before sending again


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
    # Also the operator's to look at. But one of them must not hold up everybody else's, again every quarter of an hour.
    Fault.TEXT: frozenset(
        {
            *(21602, 21617, 21620),  # its words, or what is attached, are missing, too long or wrong
            *(21604, 21612),  # no number; not this number from this sender
            *(30004, 30007),  # blocked or filtered on the way
        }
    ),
    Fault.OPERATOR: frozenset(
        {
            *(21212, 21603, 21606, 21703, 21704, 21705),  # the sender cannot be used (for this country)
            *(21609, 90007),  # the callback's address, the validity: the same in every text of ours
            *(21408, 21608, 30018, 30024),  # not allowed: country, trial account, sender not registered
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
            *(20429, 20500, 20503),  # the provider is busy or ill
            *(14107, 21611, 30001, 30017, 30036),  # queues: full, congested, waited too long
            *(30003, 30008),  # the phone is off; unknown reason
        }
    ),
    Fault.UNSURE: frozenset({30410}),  # its carrier did not answer in time; Twilio does not send it again either
}
_FAULT_OF = {code: fault for fault, codes in _TWILIO.items() for code in codes}

# A text that came back is sent once more on the next day; to a phone that was only off, twice.
_TEXTS_A_STEP, _TEXTS_A_STEP_OF_A_PHONE_OFF = 2, 3
PHONE_OFF = "30003"
# A telephone rings on three days.
CALLS_A_STEP = 3


def texts_a_step(reason: str | None, *, is_call: bool = False) -> int:
    """How many messages of one step may come back by one way, for this reason, before it counts as a way that does not
    reach. `reason`: the provider's code as it is kept of a message; None where it gave none."""
    if is_call:
        return CALLS_A_STEP
    match fault_of_reason(reason):
        case Fault.TEXT | Fault.NUMBER | Fault.OPTED_OUT:
            return 1
        case Fault.OPERATOR | Fault.ACCOUNT:
            # Not the phone's fault: when the operator has acted it may well arrive.
            return _TEXTS_A_STEP_OF_A_PHONE_OFF
        case _:
            return _TEXTS_A_STEP_OF_A_PHONE_OFF if reason == PHONE_OFF else _TEXTS_A_STEP


def fault_of_reason(reason: str | None) -> Fault:
    """Of what brought a message back, as a receipt gave it: Twilio's number, or a mail server's enhanced code."""
    if reason and "." in reason:
        return fault_of_mail(reason)
    return fault_of_twilio(int(reason) if reason and reason.isdecimal() else None)


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


# RFC 3463 and the register of enhanced codes at IANA, read 2026-11. What stands in none of these and is final is about
# this one mail; in 5.7, the policies, only those of the sender's own identity are surely ours.
_MAIL: Mapping[Fault, frozenset[str]] = {
    Fault.NUMBER: frozenset(
        {
            "5.0.0",  # nothing more was said, and it is final
            *("5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10"),  # no such mailbox or domain; moved away
            *("5.2.0", "5.2.1"),  # the mailbox is closed
            *("5.4.1", "5.4.4"),  # nobody answers for this domain
        }
    ),
    Fault.OPERATOR: frozenset(
        {
            *("5.1.7", "5.1.8"),  # our sender's address
            *(
                "5.7.3",
                "5.7.8",
                "5.7.9",
                "5.7.10",
                "5.7.11",
                "5.7.14",
                "5.7.54",
                "5.7.57",
                "5.7.60",
            ),  # signing in; relaying
            *(f"5.7.{detail}" for detail in range(20, 31)),  # DKIM, SPF, DMARC, reverse DNS
        }
    ),
    Fault.RETRY: frozenset({"5.2.2", "5.3.1", "5.3.2", "5.4.5", "5.4.7"}),  # full (people empty theirs); busy; too slow
}
_MAIL_FAULT_OF = {code: fault for fault, codes in _MAIL.items() for code in codes}
# Without an enhanced code: no such mailbox, moved, a name that is not allowed.
_NO_MAILBOX = (550, 551, 553)
_FULL = 552
_SIGN_IN_FIRST = (503, 530, 534, 535, 538)


def fault_of_mail(enhanced: str) -> Fault:
    """Of a mail server's enhanced code, such as 5.1.1."""
    if not enhanced.startswith("5."):
        return Fault.RETRY
    return _MAIL_FAULT_OF.get(enhanced, Fault.TEXT)


def fault_of_refusal(code: int, enhanced: str | None, *, of_recipient: bool) -> Fault:
    """Of a mail server that says a final no (5yz). `of_recipient`: to the one address, not to the mail or to us."""
    if code in _SIGN_IN_FIRST:
        return Fault.OPERATOR
    if enhanced is not None:
        fault = fault_of_mail(enhanced)
        return Fault.TEXT if fault is Fault.NUMBER and not of_recipient else fault
    if code == _FULL:
        return Fault.RETRY
    return Fault.NUMBER if of_recipient and code in _NO_MAILBOX else Fault.TEXT


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
    Fault.TEXT: Why.LATER,
    Fault.RETRY: Why.LATER,
    Fault.UNSURE: Why.LATER,
}


def why(channel: ChannelName, reason: str | None) -> Why:
    """`reason`: what a message that failed keeps. Our own fault is called ours."""
    if reason == "address":
        return Why.NUMBER
    if reason is None or not reason.replace(".", "").isdecimal():
        return Why.LATER
    if "." in reason:
        return _BY_FAULT[fault_of_mail(reason)]
    code = int(reason)
    if channel in (ChannelName.SMS, ChannelName.VOICE):
        return Why.AWAY if code == _PHONE_IS_OFF else _BY_FAULT[fault_of_twilio(code)]
    return Why.NUMBER if code in _NO_MAILBOX else Why.LATER
