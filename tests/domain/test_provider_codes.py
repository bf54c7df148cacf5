"""reminder/domain/provider_codes.py: whose fault each of Twilio's codes is."""

import pytest

from reminder.domain.provider_codes import Fault, fault_of_twilio


@pytest.mark.parametrize(
    ("code", "http_status", "fault", "why"),
    [
        (21614, 400, Fault.NUMBER, "a landline cannot take a text"),
        (30006, None, Fault.NUMBER, "said by a receipt"),
        (30005, None, Fault.NUMBER, "the number does not exist any more"),
        (21610, 400, Fault.OPTED_OUT, "the owner said stop"),
        (21606, 400, Fault.OPERATOR, "the sender is not ours"),
        (21408, 400, Fault.OPERATOR, "Japan is not switched on"),
        (30007, None, Fault.OPERATOR, "filtered: the words or the sender"),
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
        (21612, 400, Fault.RETRY, "this number from this sender"),
        (39999, None, Fault.RETRY, "unknown in a receipt, like 30008"),
        (None, None, Fault.RETRY, "a receipt without a code"),
    ],
)
def test_a_code_says_whose_fault_it_is(code: int | None, http_status: int | None, fault: Fault, why: str) -> None:
    assert fault_of_twilio(code, http_status) is fault
