"""Who hears what when a text comes from a telephone to which two groups, or two persons, are written.

The rows are the expectation; tests/conversation/test_whose_replies.py plays each of them. The page of the documents is
generated from them: `python -m tests.conversation.whose_replies > docs/whose-replies.md`.
"""

from dataclasses import dataclass

# The situations.
ONE_WROTE = "only B has written"
BOTH_WROTE = "A and B have written, both may be answered"
COUPLE = "two persons of B, both may be answered"
NOBODY_WROTE = "nobody has written yet"

SITUATIONS = {
    ONE_WROTE: "Group A has only registered the number. Group B has sent a reminder.",
    BOTH_WROTE: "Groups A and B have each sent a reminder that can still be answered.",
    COUPLE: "Group B has sent reminders to a couple at one telephone. Group A has only registered the number.",
    NOBODY_WROTE: "Groups A and B have registered the number. No text has left yet.",
}

REPLIES = {
    "digit": "３",
    "done": "済んだよ",
    "later": "まだです",
    "going": "来週行きます",
    "family": "家族に聞きたい",
    "unknown": "あしたは病院です。るすにします",
    "who": "だれですか",
    "thanks": "ありがとう",
    "number": "わたしのは 1234 5678 9018 です",  # invented
    "stop": "停止",
    "start": "再開",
    "wrong_person": "まちがいです。ちがう人です",
    # Several texts, one after the other.
    "leave the first": "だれから → 1 停止",
    "leave the second": "だれから → 2 停止",
    "leave without a list": "2 停止",
    "both": "済んだよ → 両方",
}
# What the groups do after a stop: each erases its contact with the number and enters it again.
ENTERED_AGAIN = "（消して、もう一度登録）"
REPLIES |= {
    "stop, entered again": f"停止 → {ENTERED_AGAIN}",
    "stop, entered again, start": f"停止 → {ENTERED_AGAIN} → 再開",
    "leave the first, entered again": f"だれから → 1 停止 → {ENTERED_AGAIN}",
    "wrong_person, entered again": f"まちがいです → {ENTERED_AGAIN}",
}

NOTHING = ""


@dataclass(frozen=True)
class Row:
    """One reply in one situation: what group A and group B hear and see, and the text that the sender gets."""

    situation: str
    reply: str
    group_a: str
    group_b: str
    sender: str


ROWS = (
    Row(ONE_WROTE, "digit", NOTHING, "reply, notice unread", "unread"),
    Row(ONE_WROTE, "done", NOTHING, "reply, notice done, acknowledged", "done"),
    Row(ONE_WROTE, "later", NOTHING, "reply, again", "later"),
    Row(ONE_WROTE, "going", NOTHING, "reply, again", "going"),
    Row(ONE_WROTE, "family", NOTHING, "reply, notice family", "family"),
    Row(ONE_WROTE, "unknown", NOTHING, "reply, notice unread", "unread"),
    Row(ONE_WROTE, "who", NOTHING, "reply", "who"),
    Row(ONE_WROTE, "thanks", NOTHING, "reply", "thanks"),
    Row(ONE_WROTE, "number", NOTHING, "notice number", "number"),
    Row(ONE_WROTE, "stop", "notice stopped, opted_out", "reply, notice stopped, opted_out", "stopped"),
    Row(ONE_WROTE, "start", NOTHING, "reply", "thanks"),
    Row(ONE_WROTE, "wrong_person", NOTHING, "reply, notice wrong_person, unreachable", "wrong_person"),
    Row(BOTH_WROTE, "digit", NOTHING, "reply, notice done, acknowledged", "done"),
    Row(BOTH_WROTE, "done", NOTHING, NOTHING, "choice"),
    Row(BOTH_WROTE, "later", NOTHING, NOTHING, "choice"),
    Row(BOTH_WROTE, "going", NOTHING, NOTHING, "choice"),
    Row(BOTH_WROTE, "family", NOTHING, NOTHING, "choice"),
    Row(BOTH_WROTE, "unknown", NOTHING, NOTHING, "choice"),
    Row(BOTH_WROTE, "who", NOTHING, NOTHING, "who"),
    Row(BOTH_WROTE, "thanks", NOTHING, NOTHING, NOTHING),
    Row(BOTH_WROTE, "number", NOTHING, NOTHING, "number"),
    Row(BOTH_WROTE, "stop", "notice stopped, opted_out", "notice stopped, opted_out", "stopped"),
    Row(BOTH_WROTE, "start", NOTHING, NOTHING, NOTHING),
    Row(
        BOTH_WROTE,
        "wrong_person",
        "notice wrong_person, unreachable",
        "notice wrong_person, unreachable",
        "wrong_person",
    ),
    Row(COUPLE, "digit", NOTHING, "reply, notice done, acknowledged", "done"),
    Row(COUPLE, "done", NOTHING, NOTHING, "choice"),
    Row(COUPLE, "later", NOTHING, NOTHING, "choice"),
    Row(COUPLE, "going", NOTHING, NOTHING, "choice"),
    Row(COUPLE, "family", NOTHING, "reply, notice family", "family"),
    Row(COUPLE, "unknown", NOTHING, "reply, notice unread", "thanks"),
    Row(COUPLE, "who", NOTHING, NOTHING, "who"),
    Row(COUPLE, "thanks", NOTHING, NOTHING, NOTHING),
    Row(COUPLE, "number", NOTHING, "notice number", "number"),
    Row(COUPLE, "stop", "notice stopped, opted_out", "reply, notice stopped, opted_out", "stopped"),
    Row(COUPLE, "start", NOTHING, NOTHING, NOTHING),
    Row(COUPLE, "wrong_person", NOTHING, "reply, notice wrong_person, unreachable", "wrong_person"),
    Row(NOBODY_WROTE, "digit", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "done", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "later", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "going", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "family", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "unknown", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "who", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "thanks", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "number", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "stop", "notice stopped, opted_out", "notice stopped, opted_out", "stopped"),
    Row(NOBODY_WROTE, "start", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "wrong_person", NOTHING, NOTHING, NOTHING),
    # The owner of the number asks who writes, and leaves one of them.
    Row(ONE_WROTE, "leave the first", NOTHING, "reply, notice stopped, opted_out", "who left"),
    Row(ONE_WROTE, "leave the second", NOTHING, "reply", "who who"),
    Row(ONE_WROTE, "leave without a list", NOTHING, NOTHING, "who"),
    Row(ONE_WROTE, "both", NOTHING, "reply, notice done, notice unread, acknowledged", "done thanks"),
    Row(BOTH_WROTE, "leave the first", "notice stopped, opted_out", NOTHING, "who left"),
    Row(BOTH_WROTE, "leave the second", NOTHING, "notice stopped, opted_out", "who left"),
    Row(BOTH_WROTE, "leave without a list", NOTHING, NOTHING, "who"),
    Row(
        BOTH_WROTE,
        "both",
        "reply, notice done, acknowledged",
        "reply, notice done, acknowledged",
        "choice done done",
    ),
    Row(COUPLE, "leave the first", NOTHING, "notice stopped, opted_out", "who left"),
    Row(COUPLE, "leave the second", NOTHING, "notice stopped, opted_out", "who left"),
    Row(COUPLE, "leave without a list", NOTHING, NOTHING, "who"),
    Row(COUPLE, "both", NOTHING, "reply, notice done, acknowledged", "choice done done"),
    Row(NOBODY_WROTE, "leave the first", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "leave the second", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "leave without a list", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "both", NOTHING, NOTHING, NOTHING),
    # A refusal outlives the contact, whoever enters it again with somebody's word that its owner agrees.
    Row(ONE_WROTE, "stop, entered again", "opted_out", "opted_out", "stopped"),
    Row(ONE_WROTE, "stop, entered again, start", NOTHING, NOTHING, "stopped started reminder"),
    Row(ONE_WROTE, "leave the first, entered again", NOTHING, "opted_out", "who left"),
    Row(ONE_WROTE, "wrong_person, entered again", NOTHING, "unreachable", "wrong_person"),
    Row(BOTH_WROTE, "stop, entered again", "opted_out", "opted_out", "stopped"),
    Row(BOTH_WROTE, "stop, entered again, start", NOTHING, NOTHING, "stopped started reminder reminder"),
    Row(BOTH_WROTE, "leave the first, entered again", "opted_out", NOTHING, "who left"),
    Row(BOTH_WROTE, "wrong_person, entered again", "unreachable", "unreachable", "wrong_person"),
    Row(COUPLE, "stop, entered again", "opted_out", "opted_out", "stopped"),
    Row(COUPLE, "stop, entered again, start", NOTHING, NOTHING, "stopped started reminder reminder"),
    Row(COUPLE, "leave the first, entered again", NOTHING, "opted_out", "who left"),
    Row(COUPLE, "wrong_person, entered again", NOTHING, "unreachable", "wrong_person"),
    Row(NOBODY_WROTE, "stop, entered again", "opted_out", "opted_out", "stopped"),
    Row(NOBODY_WROTE, "stop, entered again, start", NOTHING, NOTHING, "stopped started"),
    Row(NOBODY_WROTE, "leave the first, entered again", NOTHING, NOTHING, NOTHING),
    Row(NOBODY_WROTE, "wrong_person, entered again", NOTHING, NOTHING, NOTHING),
)

_HEAD = """\
# Whose reply a text is
This page is generated: `python -m tests.conversation.whose_replies > docs/whose-replies.md`.
Each row is a test, on both databases: `tests/conversation/test_whose_replies.py`.

A telephone may be registered by several groups, and several persons may share it.
A text belongs to those whose message it can answer: the latest ones to that number that are still open.
If two persons or groups could be meant, and neither a digit nor the words decide it, nothing is acted on but *stop*.

- The sender is asked once: 1＝お母さん、2＝お父さん. The digit, or the name, files the text with that person.
- If that is not possible, or not answered within six hours, those around each person are asked to look.
  Only where they are one group may they read the words.
- The text that offers the choice to two groups is a message of neither: neither sees it.
- "両方", "ふたりとも" or "both" files the text with each of two; "1と2" with those two.

Whoever asks who writes ("だれから", "WHO", "だれですか") gets the list of those who have already texted the number, three
times a day at most, and leaves one of them by "2 停止" or "STOP 2". The digits mean what they meant in the latest list,
for a week; without one the list is sent. A group that has only registered the number is not in it. The list is a
message of no group. With a sender that cannot receive there is no list: the owner asks the family, the home or the
operator.

A refusal outlives the contact ([0053](decisions/0053-consent-ledger.md)). "Entered again": every group erases its
contacts with the number and enters them anew, in another spelling and with somebody's word that the owner agrees.

What a group hears: `reply`, it sees the words; `notice KIND`, those around its person get that notice;
`opted_out` and the like, the new state of its contact; `acknowledged` or `again`, what became of its card.
"""


def page() -> str:
    """Return docs/whose-replies.md."""
    parts = [_HEAD]
    for situation, meaning in SITUATIONS.items():
        parts.append(f"## {situation[0].upper()}{situation[1:]}\n{meaning}\n")
        parts.append("| reply | for example | group A | group B | the sender gets |\n|---|---|---|---|---|")
        for row in ROWS:
            if row.situation == situation:
                cells = (row.reply, REPLIES[row.reply], row.group_a or "–", row.group_b or "–", row.sender or "–")
                parts.append(f"| {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
