"""The meaning of Twilio's error codes, for texts and calls."""

from collections.abc import Mapping

from reminder.domain.model.channels import Fault, ProviderError

# The phone was off or unreachable: it may be on tomorrow.
PHONE_OFF = 30003
# Too many requests; failing; not available.
OVERLOADED = (20429, 20500, 20503)
# A code below is an HTTP status.
LEAST_OWN_CODE = 600

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
            30006,  # a landline, or a carrier without texts
        }
    ),
    Fault.OPTED_OUT: frozenset({21610}),
    # The operator should look at these too, but one of them must not delay all other messages every quarter of an hour.
    Fault.TEXT: frozenset(
        {
            *(21602, 21617, 21620),  # its text or attachment is missing, too long or wrong
            *(21604, 21612),  # no number; not this number from this sender
            *(30004, 30007),  # blocked or filtered on the way
        }
    ),
    Fault.OPERATOR: frozenset(
        {
            *(21212, 21603, 21606, 21703, 21704, 21705),  # the sender cannot be used (for this country)
            *(21609, 90007),  # the callback's address, the validity: the same in every text of ours
            *(21408, 21608, 30018, 30024),  # not allowed: country, trial account, sender not registered
            *range(35111, 35119),  # scheduling, which we never use
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
            *OVERLOADED,
            *(14107, 21611, 30001, 30017, 30036),  # queues: full, congested, waited too long
            *(30003, 30008),  # the phone is off; unknown reason
        }
    ),
    Fault.UNSURE: frozenset({30410}),  # the carrier did not answer in time; Twilio does not retry either
}
_FAULT_OF = {code: fault for fault, codes in _TWILIO.items() for code in codes}


def read_error(reason: str | None) -> ProviderError:
    """Return the meaning of the code stored with a message: Twilio's number, None or our own word without one."""
    code = int(reason) if reason and reason.isdecimal() else None
    return ProviderError(fault_of_twilio(code), is_away=code == PHONE_OFF, is_general=code in OVERLOADED)


def fault_of_twilio(code: int | None, http_status: int | None = None) -> Fault:
    """Return the fault of an answer or of a receipt.

    `code` is Twilio's own, from an answer or from a receipt's ErrorCode; `http_status` decides where it is unknown. The
    SDK puts the HTTP status into the code where an answer has none, so a code below 600 is read as a status.
    """
    if code in _FAULT_OF:
        return _FAULT_OF[code]
    status = http_status if http_status is not None else code
    if status in (401, 403):
        return Fault.ACCOUNT
    has_own_code = code is not None and code >= LEAST_OWN_CODE
    if has_own_code or status is None or status in (408, 429) or not 300 <= status < 500:
        # An unknown code may be about this one text: it must not delay all other messages.
        return Fault.RETRY
    # Such an answer does not come from Twilio, or the account is unknown.
    return Fault.OPERATOR
