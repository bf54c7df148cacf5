"""Mail that comes back, as mail servers write it: for tests of bounces."""

from textwrap import dedent


def report(
    *,
    to: str = "otayori@example.jp",
    mail_id: str | None = None,
    status: str = "5.1.1",
    action: str = "failed",
    diagnostic: str = "smtp; 550 5.1.1 user unknown",
    returns: str = "message/rfc822",
    words: str = "I'm sorry to have to inform you that your message could not be delivered.",
) -> bytes:
    """A delivery status notification in the shape of Postfix's; `returns`: how the mail itself is sent back."""
    returned = (
        "" if mail_id is None else f"From: otayori@example.jp\nMessage-ID: {mail_id}\nSubject: =?utf-8?b?5pyf6ZmQ?=\n"
    )
    head = f"""\
        Return-Path: <>
        Date: Wed, 17 Mar 2027 09:00:05 +0900
        From: MAILER-DAEMON@mail.example.jp (Mail Delivery System)
        Subject: Undelivered Mail Returned to Sender
        To: {to}
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="B1/mail.example.jp"

        This is a MIME-encapsulated message.

        --B1/mail.example.jp
        Content-Type: text/plain; charset=us-ascii

        {words}

        --B1/mail.example.jp
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mail.example.jp
        Arrival-Date: Wed, 17 Mar 2027 09:00:01 +0900

        Final-Recipient: rfc822; chichi@example.jp
        Original-Recipient: rfc822;chichi@example.jp
        Action: {action}
        Status: {status}
        Diagnostic-Code: {diagnostic}

        --B1/mail.example.jp
        Content-Type: {returns}

        """
    return (dedent(head) + returned + "\n--B1/mail.example.jp--\n").replace("\n", "\r\n").encode()


HOLIDAY = (
    b"From: chichi@example.jp\r\nTo: %s\r\nSubject: away\r\nAuto-Submitted: auto-replied\r\n"
    b"References: %s\r\nContent-Type: text/plain\r\n\r\nI am away. Status: 5.1.1\r\n"
)
COMPLAINT = (
    b"To: %s\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\nMessage-ID: %s\r\n\r\n--b--\r\n"
)
