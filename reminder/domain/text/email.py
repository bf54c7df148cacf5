"""E-mails: the text of a step, then the advice, the results of earlier texts, and the sender."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reminder.domain.model.notices import NoticeKind, UntoldKind
from reminder.domain.model.people import ChannelName
from reminder.domain.text.audience import Condition, Told
from reminder.domain.text.catalog import Catalog
from reminder.domain.text.model import About, Composed, Copy, EarlierOutcome, ReminderContent, WordPlace
from reminder.domain.text.phrases import Phrases, Topic, by_urgency, nearness


@dataclass(frozen=True)
class EmailComposer:
    """A composer of e-mails for one reader: a plain subject, and a body with readings where the reader has them."""

    plain: Phrases

    @property
    def _mail(self) -> Phrases:
        return self.plain.in_mail

    @property
    def _words(self) -> Catalog:
        return self.plain.in_mail.words

    def reminder(self, contents: Sequence[ReminderContent], copy: Copy, *, brief: bool) -> Composed:
        """Return one e-mail about all of these reminders. `brief` leaves out the advice."""
        topic = Topic.of(contents, self.plain.families)
        family = topic.family or self.plain.families[topic.first.kind]
        values = self._mail.of_reminder(topic.first, family)
        if topic.family is None:
            subject = self.plain.words.section("email.subject")["several"]
            blocks = [self._several(contents)]
        else:
            subject = self.plain.subject(topic.first, family).format_map(self.plain.of_reminder(topic.first, family))
            blocks = [self._one(topic.first, family, values)]
        left = by_urgency(contents, self.plain.families)[0].days_left
        computed = any(one.computed for one in contents)
        near = nearness(self.plain.words, left, is_computed=computed)
        blocks += self._shown_to_carer(copy)
        if not brief:
            told = self._told(topic.first, family, computed=computed)
            blocks += [self._part(one.part, one.name, values) for one in self.plain.audience.advice(told)]
        return Composed(near + subject, _joined(blocks), self.closing, left, near)

    def notice(self, kind: NoticeKind | UntoldKind, about: About) -> Composed:
        """Return a notice to a carer or a member of staff about a person's reminders."""
        words, values = self._words, self._mail.of_notice(about)
        said, parts = words.section(f"notices.{kind}"), words.section("email.part")
        blocks = [said["said"].format_map(values)]
        if about.instead is not None:
            channel = words.section("channel")[about.instead]
            blocks.append(words.section("history")["instead"].format(channel=channel))
        if about.reply:
            blocks.append(f"■ {parts['reply']}\n「{about.reply}」")
        blocks.append(f"■ {parts['to_do']}\n{said['to_do'].strip().format_map(values)}")
        if about.link:
            blocks.append(f"■ {parts['take' if about.card else 'reached']}\n{about.link}")
        subject = self.plain.words.section(f"notices.{kind}")["subject"]
        return Composed(subject.format_map(self.plain.of_notice(about)), _joined(blocks), self.closing)

    def limit(self, name: str, channel: ChannelName) -> Composed:
        """Return the notice to a member that their group has reached a limit. `name`: of catalog.LIMITS."""
        words, said = self._words, self._words.section("limits")
        values = {**self._mail.of_person, "channel": words.section("channel")[channel]}
        blocks = [said[name].format_map(values), f"■ {words.section('email.part')['to_do']}\n{said['to_do']}"]
        plain = {**self.plain.of_person, "channel": self.plain.words.section("channel")[channel]}
        subject = self.plain.words.section("limits")["subject"].format_map(plain)
        return Composed(subject, _joined(blocks), self.closing)

    def unsafe_words(self, places: Sequence[WordPlace], count: int) -> Composed:
        """Return the notice that so many words of the group cannot stand in messages, with the places of some."""
        words = self._words
        said, fields = words.section("unsafe_words"), words.section("fields")
        lines = [
            said["item"].format(place=one.place or said["group"], field=fields[one.field])
            for one in dict.fromkeys(places)
        ]
        if count > len(places):
            lines.append(words.section("digest")["more"].format(n=count - len(places)))
        blocks = [
            said["said"].format(n=count),
            "\n".join([f"■ {said['where']}", *lines]),
            f"■ {words.section('email.part')['to_do']}\n{said['to_do'].strip()}",
        ]
        return Composed(self.plain.words.section("unsafe_words")["subject"], _joined(blocks), self.closing)

    @property
    def closing(self) -> str:
        """The end of every e-mail: its purpose, and the sender."""
        words = self._words
        about = self._part("about", "about", self._mail.of_person)
        signature = words.section("email.text")["signature"]
        return f"\n{about}\n\n{signature.format(service=words.word('service'), operator=words.word('operator'))}\n"

    def _several(self, contents: Sequence[ReminderContent]) -> str:
        said = self._mail.several(contents, apart="\n\n")
        if self.plain.reader.voice == "carer":
            return said
        return self._words.word("to_one").format(call=self._mail.of_person["call"]) + said

    def _one(self, content: ReminderContent, family: str, values: Mapping[str, str]) -> str:
        said = self._mail.template(content, family).format_map(values)
        shown = self._words.section("email.line").items()
        told = self._told(content, family, computed=content.computed)
        lines = [line.format_map(values) for name, line in shown if self.plain.audience.shows_line(name, told)]
        return "\n".join([said, "", *lines]).rstrip()

    def _told(self, content: ReminderContent, family: str, *, computed: bool) -> Told:
        """Return what the sentences of an e-mail are chosen by. `computed`: a date in it was computed."""
        facts = {
            Condition.GRACE: content.grace_ends_on is not None and not content.computed,
            Condition.COMPUTED: computed,
            Condition.COUNTERS: self.plain.closes_with_counters(content),
            Condition.BEGIN: content.begin_by is not None,
        }
        true = frozenset(condition for condition, holds in facts.items() if holds)
        return Told(self.plain.reader.kind, content.step.stage, family, true)

    def _shown_to_carer(self, copy: Copy) -> Iterator[str]:
        parts = self._words.section("email.part")
        if copy.text is not None:
            yield f"■ {parts['sent']}\n{copy.text}"
        if copy.outcomes:
            yield "\n".join([f"■ {parts['history']}", *map(self._fate, copy.outcomes)])
        if copy.take_link is not None:
            yield f"■ {parts['take']}\n{copy.take_link}"

    def _fate(self, fate: EarlierOutcome) -> str:
        words = self._words
        form = "answered" if fate.reply is not None else "silent" if fate.was_answerable else "sent"
        return words.section("history")[form].format(
            date=words.date(fate.on),
            channel=words.section("channel")[fate.channel],
            state=words.section("state")[fate.state],
            reply="" if fate.reply is None else words.section("reply")[fate.reply],
        )

    def _part(self, heading: str, text: str, values: Mapping[str, str]) -> str:
        said = self._words.section("email.text")[text].strip("\n").format_map(values)
        return f"■ {self._words.section('email.part')[heading]}\n{said}"


def _joined(blocks: Sequence[str]) -> str:
    return "\n\n".join(blocks) + "\n"
