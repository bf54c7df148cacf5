"""The meaning of a mail server's codes: the enhanced ones of RFC 3463 and those of three digits."""

from collections.abc import Mapping

from reminder.domain.model.channels import Fault, ProviderError

# RFC 3463 and the register of enhanced codes at IANA, read 2026-11. A final code in none of these sets is about
# this one mail; in 5.7, the policies, only those about the sender's identity are certainly ours.
_MAIL: Mapping[Fault, frozenset[str]] = {
    Fault.NUMBER: frozenset(
        {
            "5.0.0",  # final, without details
            *("5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10"),  # no such mailbox or domain; moved away
            *("5.2.0", "5.2.1"),  # the mailbox is closed
            *("5.4.1", "5.4.4"),  # no server answers for this domain
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
# The server is closing, shut down, too busy, or cannot check who we are.
_UNAVAILABLE = frozenset({"421", "454", "4.3.2", "4.4.5"})
_SIGN_IN_FIRST = (503, 530, 534, 535, 538)


def fault_of_mail(enhanced: str) -> Fault:
    """Return the fault of a mail server's enhanced code, such as 5.1.1."""
    if not enhanced.startswith("5."):
        return Fault.RETRY
    return _MAIL_FAULT_OF.get(enhanced, Fault.TEXT)


def fault_of_refusal(code: int, enhanced: str | None, *, of_recipient: bool) -> Fault:
    """Return the fault of a mail server's permanent refusal (5yz).

    `of_recipient`: the refusal is about the one address, not about the mail or us.
    """
    if code in _SIGN_IN_FIRST:
        return Fault.OPERATOR
    if enhanced is not None:
        fault = fault_of_mail(enhanced)
        return Fault.TEXT if fault is Fault.NUMBER and not of_recipient else fault
    if code == _FULL:
        return Fault.RETRY
    return Fault.NUMBER if of_recipient and code in _NO_MAILBOX else Fault.TEXT


def read_error(reason: str | None) -> ProviderError:
    """Return the meaning of the code stored with a mail: an enhanced code, three digits, or None without a reason."""
    if reason in _UNAVAILABLE:
        return ProviderError(Fault.RETRY, is_general=True)
    if reason and "." in reason:
        return ProviderError(fault_of_mail(reason))
    is_no_mailbox = reason is not None and reason.isdecimal() and int(reason) in _NO_MAILBOX
    return ProviderError(Fault.NUMBER if is_no_mailbox else Fault.RETRY)
