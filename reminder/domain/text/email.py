"""E-mails: the text of a step, then the advice, the results of earlier texts, and the sender."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reminder.domain.model.notices import NoticeKind, UntoldKind
from reminder.domain.model.people import ChannelName
from reminder.domain.text.catalog import ARRIVAL, CERTIFICATES, PROCEDURE, SIGNATURE_CERTIFICATE, Catalog
from reminder.domain.text.model import About, Composed, Copy, EarlierOutcome, ReminderContent, WordPlace
from reminder.domain.text.phrases import CERTIFICATE_FAMILIES, MY_NUMBER_FAMILIES, Phrases, Topic, by_urgency, nearness


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
            advice = _advice(topic.first, family, computed)
            blocks += [self._part(heading, text, values) for heading, text in advice]
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
        lines = [line.format_map(values) for name, line in shown if self._applies(name, content)]
        return "\n".join([said, "", *lines]).rstrip()

    def _applies(self, line: str, content: ReminderContent) -> bool:
        """Return whether a line of [email.line] is shown for this card; a line that an operator added always is."""
        if content.step.stage.is_of_life and line in ("grace", "lastopen"):
            return False
        match line:
            case "grace":
                return content.grace_ends_on is not None and not content.computed
            case "lastopen":
                return not content.is_after_end and self.plain.closes_with_counters(content)
            case "computed":
                return content.computed
            case _:
                return True

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


def _advice(content: ReminderContent, family: str, computed: bool) -> list[tuple[str, str]]:
    """Return the headings of an e-mail's advice, each with the text below it. `computed`: a date was computed."""
    if content.step.stage.is_of_life:
        return [("done", "life_done")]
    advises = CERTIFICATES if family in CERTIFICATE_FAMILIES else family
    if content.is_after_end:
        after = "after_signature" if family == SIGNATURE_CERTIFICATE else f"after_{advises}"
        if computed:
            after = f"to_do_computed_{family}" if family in (PROCEDURE, ARRIVAL) else "to_do_computed"
        return [("to_do", after), ("done", "done")]
    parts = [("to_do", f"to_do_{advises}")]
    if family in MY_NUMBER_FAMILIES:
        has_grace = content.grace_ends_on is not None and not content.computed
        parts += [("proxy", "proxy"), ("stops", "stops_with_grace" if has_grace else "stops")]
    elif family == PROCEDURE:
        parts += [("proxy", "proxy_of_kind"), ("stops", "stops")]
    return [*parts, ("done", "done")]
