"""The error tables of the channels: whose fault each code of a provider is, and how often a step is tried again."""

import pytest

from reminder.channels.email.errors import fault_of_mail, fault_of_refusal
from reminder.channels.twilio.errors import fault_of_twilio
from reminder.domain.model.channels import Fault
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.provider_errors import texts_a_step

NUMBER = (21211, 21214, 21217, 21401, 21614, 30005, 30006)
TEXT = (21602, 21604, 21612, 21617, 21620, 30004, 30007)
OPERATOR = (
    *(21212, 21603, 21606, 21608, 21609, 21408, 21703, 21704, 21705, 30018, 30024, 90007, 20404),
    *(35111, 35112, 35113, 35114, 35115, 35116, 35117, 35118),
)
ACCOUNT = (20003, 20005, 30002, 63038)
RETRY = (14107, 20429, 20500, 20503, 21611, 30001, 30003, 30008, 30017, 30036)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        *((code, Fault.NUMBER) for code in NUMBER),
        (21610, Fault.OPTED_OUT),
        *((code, Fault.TEXT) for code in TEXT),
        *((code, Fault.OPERATOR) for code in OPERATOR),
        *((code, Fault.ACCOUNT) for code in ACCOUNT),
        *((code, Fault.RETRY) for code in RETRY),
        (30410, Fault.UNSURE),
    ],
)
def test_every_code_that_is_known_has_its_class_whether_an_answer_or_a_receipt_brings_it(
    code: int, fault: Fault
) -> None:
    assert fault_of_twilio(code, 400) is fault
    assert ChannelName.SMS.can.read_error(str(code)).fault is fault


@pytest.mark.parametrize(
    ("reason", "channel", "times", "why"),
    [
        ("30003", "sms", 3, "switched off: it may be on tomorrow, or on the day after"),
        ("30008", "sms", 2, "nobody knows why: once more"),
        (None, "sms", 2, "nobody says why: once more"),
        ("30410", "sms", 2, "it may have arrived: once more, on another day"),
        ("30007", "sms", 1, "filtered: it would be filtered again"),
        ("30002", "sms", 3, "the account was suspended: the phone is as good as ever"),
        ("5.2.2", "email", 2, "a full mailbox may be emptied"),
        ("5.7.1", "email", 1, "their server does not want it"),
        (None, "voice", 3, "nobody answered the telephone"),
    ],
)
def test_how_often_a_step_is_told_by_a_way_that_brings_it_back(
    reason: str | None, channel: str, times: int, why: str
) -> None:
    assert texts_a_step(ChannelName(channel), reason) == times, why


@pytest.mark.parametrize(
    ("code", "enhanced", "of_recipient", "fault", "why"),
    [
        (550, "5.1.1", True, Fault.NUMBER, "no such mailbox"),
        (550, "5.1.10", True, Fault.NUMBER, "no such mailbox, in Exchange's words"),
        (550, "5.2.1", True, Fault.NUMBER, "the mailbox is closed"),
        (550, None, True, Fault.NUMBER, "said without an enhanced code"),
        (551, None, True, Fault.NUMBER, "moved"),
        (553, None, True, Fault.NUMBER, "no such name"),
        (554, None, True, Fault.TEXT, "a transaction failed, which says nothing of the mailbox"),
        (552, None, True, Fault.RETRY, "full"),
        (552, "5.2.2", True, Fault.RETRY, "full"),
        (552, "5.3.4", True, Fault.TEXT, "this mail is too long"),
        (550, "5.7.1", True, Fault.TEXT, "a policy, of this reader perhaps"),
        (550, "5.7.26", True, Fault.OPERATOR, "our DKIM or SPF"),
        (535, "5.7.8", True, Fault.OPERATOR, "our password"),
        (530, None, True, Fault.OPERATOR, "we did not sign in"),
        (550, "5.1.8", True, Fault.OPERATOR, "our sender's address"),
        (550, "5.1.1", False, Fault.TEXT, "said of the mail and not of its reader"),
        (550, None, False, Fault.TEXT, "said of the mail and not of its reader"),
        (554, "5.6.0", False, Fault.TEXT, "this mail"),
    ],
)
def test_a_mail_server_s_final_no_says_whose_fault_it_is(
    code: int, enhanced: str | None, of_recipient: bool, fault: Fault, why: str
) -> None:
    assert fault_of_refusal(code, enhanced, of_recipient=of_recipient) is fault, why


def test_what_a_mail_server_calls_temporary_gives_nobody_up() -> None:
    assert {fault_of_mail(code) for code in ("4.2.2", "4.4.7", "4.7.1", "4.1.1")} == {Fault.RETRY}


@pytest.mark.parametrize(
    ("code", "http_status", "fault", "why"),
    [
        (21614, 400, Fault.NUMBER, "a landline cannot take a text"),
        (30006, None, Fault.NUMBER, "said by a receipt"),
        (30005, None, Fault.NUMBER, "the number does not exist any more"),
        (21610, 400, Fault.OPTED_OUT, "the owner said stop"),
        (21606, 400, Fault.OPERATOR, "the sender is not ours"),
        (21408, 400, Fault.OPERATOR, "Japan is not switched on"),
        (30007, None, Fault.TEXT, "filtered: the words, or this phone's own filter"),
        (35114, 400, Fault.OPERATOR, "within the range of scheduling errors"),
        (20003, 401, Fault.ACCOUNT, "wrong token"),
        (30002, None, Fault.ACCOUNT, "suspended"),
        (63038, 429, Fault.ACCOUNT, "the code is more exact than the status"),
        (20429, 429, Fault.RETRY, "too fast"),
        (21611, 400, Fault.RETRY, "the queue is full: a 400 that is not final"),
        (30003, None, Fault.RETRY, "the phone is switched off"),
        (30036, None, Fault.RETRY, "waited too long"),
        (None, 401, Fault.ACCOUNT, "no code in the answer"),
        (None, 403, Fault.ACCOUNT, "no code in the answer"),
        (None, 429, Fault.RETRY, "no code in the answer"),
        (None, 408, Fault.RETRY, "the request came too slowly"),
        (None, 404, Fault.OPERATOR, "a wrong address or account"),
        (None, 302, Fault.OPERATOR, "somebody else's server"),
        (None, 503, Fault.RETRY, "ill"),
        (401, None, Fault.ACCOUNT, "the SDK put the status into the code"),
        (429, None, Fault.RETRY, "the SDK put the status into the code"),
        (29999, 400, Fault.RETRY, "unknown and refused: perhaps this text alone, and others must not wait for it"),
        (21612, 400, Fault.TEXT, "this number from this sender"),
        (39999, None, Fault.RETRY, "unknown in a receipt, like 30008"),
        (None, None, Fault.RETRY, "a receipt without a code"),
    ],
)
def test_a_code_says_whose_fault_it_is(code: int | None, http_status: int | None, fault: Fault, why: str) -> None:
    assert fault_of_twilio(code, http_status) is fault
