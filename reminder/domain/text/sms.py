"""Text messages: one segment where possible, signed, with whom to ask. LINE carries the same words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from reminder.domain.model.languages import Script
from reminder.domain.model.notices import OF_THE_NUMBER, NoticeKind, UntoldKind
from reminder.domain.model.people import Audience, ChannelName
from reminder.domain.rules.steps import Stage
from reminder.domain.text import sms_segments
from reminder.domain.text.model import About, CardContent, Composed, ReminderContent
from reminder.domain.text.phrases import Phrases, Topic

# A text to a person is one segment where possible, and never more than two.
MOST_SEGMENTS = 2

# Who asks who writes to them gets a little more: what they asked for, and how to stop it.
MOST_SEGMENTS_OF_LIST = 3

# The digit that answers "done" where no other question is open.
DONE_DIGIT = 1
_CALL = "{call}、"

_SENTENCE = re.compile(r"(?<=。)|(?<=[.?]) ")


@dataclass(frozen=True)
class SmsComposer:
    """A composer of text messages for one reader."""

    phrases: Phrases

    def reminder(self, contents: Sequence[ReminderContent]) -> Composed:
        """Return one text about all of these reminders."""
        # A Japanese label would halve the length of a Latin text: the kind's own name replaces it there.
        shown = [one if self._is_in_its_script(one) else replace(one, label=None) for one in contents]
        topic = Topic.of(shown, self.phrases.families)
        if topic.family is None:
            return Composed(None, self._several(shown))
        template = self.phrases.template(topic.first, topic.family)
        text = self._shortest(template, self.phrases.of_reminder(topic.first, topic.family))
        how = "reply_come" if topic.first.step.stage is Stage.COME else "reply_done"
        return Composed(None, self._assured(_without_the_last(text), how))

    def notice(self, kind: NoticeKind | UntoldKind, about: About) -> Composed:
        """Return a notice to a carer or a member of staff about a person's reminders."""
        said = self.phrases.words.section(f"notices.{kind}")["said"]
        return Composed(None, self._signed(said.format_map(self.phrases.of_notice(about))))

    def unsafe_words(self, count: int) -> Composed:
        """Return the notice that so many words of the group cannot stand in messages."""
        return Composed(None, self._signed(self.phrases.words.section("unsafe_words")["said"].format(n=count)))

    def answer(self, name: str, day: date | None, *, is_named: bool = True) -> Composed:
        """Return the text to somebody who has answered, or who is asked for consent.

        `name`: one of notices.ANSWERS. `is_named`: it addresses the person, who is known.
        """
        words = self.phrases.words
        code = self.phrases.reader.reply_code or DONE_DIGIT
        values = {**self.phrases.of_person, "date": "" if day is None else words.date(day), "code": str(code)}
        template = words.section("answers")[name]
        if not is_named or name in OF_THE_NUMBER:
            return Composed(None, self._signed(template.replace(_CALL, "").format_map(values)))
        return Composed(None, self._shortest(template, values))

    def limit(self, name: str, channel: ChannelName) -> Composed:
        """Return the text to a member that their group has reached a limit. `name`: of catalog.LIMITS."""
        words = self.phrases.words
        values = {**self.phrases.of_person, "channel": words.section("channel")[channel]}
        return Composed(None, self._signed(words.section("limits")[name].format_map(values)))

    def choice(self, names: Mapping[int, str]) -> Composed:
        """Return the text that asks whom an answer is about."""
        words = self.phrases.words
        question = "which_person_of_two" if len(names) == 2 else "which_person"
        return Composed(None, self._signed(words.word(question).format(choices=self._choices(names))))

    def senders(self, names: Mapping[int, str], more: int) -> str | None:
        """Return the text that lists who has written to a telephone; None: with these it is too long."""
        words = self.phrases.words
        choices = self._choices(names) + (words.word("and_more").format(n=more) if more else "")
        text = self._signed(words.word("senders").format(choices=choices, digit=min(names)))
        return text if sms_segments.count(text) <= MOST_SEGMENTS_OF_LIST else None

    def left(self, names: Mapping[int, str], _: int = 0) -> str | None:
        """Return the text that confirms that these write no more; None: it is too long."""
        words = self.phrases.words
        text = self._signed(words.word("left").format(choices=words.word("list_separator").join(names.values())))
        return text if sms_segments.count(text) <= MOST_SEGMENTS_OF_LIST else None

    def _choices(self, names: Mapping[int, str]) -> str:
        words = self.phrases.words
        listed = (words.word("choice").format(digit=digit, call=name) for digit, name in names.items())
        return words.word("list_separator").join(listed)

    def _is_in_its_script(self, card: CardContent) -> bool:
        thing = self.phrases.words.kinds[card.kind]["thing"]
        return not card.label or not thing.isascii() or card.label.isascii()

    def _several(self, contents: Sequence[ReminderContent]) -> str:
        """Return one text about cards of several dates: whose, what and until when, and what to do.

        To be shorter it gives up the weekdays, then a mark that is an ornament, then the last cards; never the person.
        """
        for shown in range(len(self.phrases.items(contents)), 0, -1):
            forms = [
                self._signed(self._to_person(self.phrases.several(contents, form=form, most=shown)), marked=marked)
                for form, marked in (("date", True), ("short_date", True), ("short_date", self._needs_mark))
            ]
            text = min(forms, key=sms_segments.count)
            if sms_segments.count(text) <= MOST_SEGMENTS:
                break
        return self._assured(_without_the_last(text))

    @property
    def _needs_mark(self) -> bool:
        return self.phrases.reader.voice == "elderly"

    def _to_person(self, said: str) -> str:
        """Return a text with the form of address in front, where it is to the person and in the script of the text."""
        words, reader = self.phrases.words, self.phrases.reader
        call = self.phrases.of_person["call"]
        is_in_script = words.facts.script is not Script.LATIN or call.isascii()
        if reader.voice == "carer" or not (is_in_script or reader.is_shared):
            return said
        return words.word("to_one").format(call=call) + said

    def _assured(self, text: str, how: str = "reply_done") -> str:
        """Add how to answer or whom to ask, and, where there is room, the promise never to ask for a number."""
        words, reader = self.phrases.words, self.phrases.reader
        after = [words.word("no_numbers")]
        if reader.audience is Audience.PERSON and reader.reply_code is not None:
            after.insert(0, words.word(how).format(code=reader.reply_code))
        elif reader.voice == "elderly" and (helper := words.helper(reader.mode)) not in text:
            after.insert(0, words.word("ask_helper").format(helper=helper))
        # Who shares a telephone must be able to say whose card it was.
        longest = MOST_SEGMENTS if reader.is_shared and reader.reply_code is not None else 1
        for more, most in zip(after, (longest, 1), strict=False):
            text = text + more if sms_segments.count(text + more) <= most else text
        return text

    def _shortest(self, template: str, values: Mapping[str, str]) -> str:
        """Fill in a text, and shorten it to one segment where that is possible.

        It leaves out the form of address, or the mark where that is an ornament. A text to a telephone that several
        persons share names its person, whatever its length.
        """
        is_shared = self.phrases.reader.is_shared
        if is_shared and not any(f"{{{name}}}" in template for name in ("call", "who")):
            template = self.phrases.words.word("to_one") + template
        text = self._signed(template.format_map(values))
        if sms_segments.count(text) == 1:
            return text
        if _CALL in template and not is_shared:
            shorter = self._signed(template.replace(_CALL, "").format_map(values))
        else:
            shorter = self._signed(template.format_map(values), marked=self._needs_mark)
        return shorter if sms_segments.count(shorter) < sms_segments.count(text) else text

    def _signed(self, said: str, *, marked: bool = True) -> str:
        words, reader = self.phrases.words, self.phrases.reader
        # A mark in another script would double the length of a Latin text.
        shows_mark = marked and reader.mark and (words.facts.script is not Script.LATIN or reader.mark.isascii())
        form = "sender_with_mark" if shows_mark else "sender"
        return words.word(form).format(service=words.word("service"), mark=reader.mark) + said


def _without_the_last(text: str) -> str:
    """Return a text without its last sentences, where a long name in another script made it too long."""
    sentences = _SENTENCE.split(text)
    while sms_segments.count(text) > MOST_SEGMENTS and len(sentences) > 1:
        text = text.removesuffix(sentences.pop()).rstrip()
    return text
