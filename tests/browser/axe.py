"""axe-core looks over a page: what a machine can find of WCAG 2.0, 2.1 and 2.2 (A and AA), and its own best practices."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Some rules of these tags are off unless they are asked for by name; those that are still experiments stay off.
LOOK_OVER = """async tags => {
    const rules = Object.fromEntries(
        axe.getRules(tags).filter(rule => !rule.tags.some(tag => tag === "experimental" || tag === "deprecated"))
            .map(rule => [rule.ruleId, {enabled: true}]));
    // Our style sheets can be read as they are: axe need not ask the server for anything.
    const found = await axe.run(document, {
        runOnly: {type: "tag", values: tags}, rules, preload: false, resultTypes: ["violations"]});
    return found.violations.flatMap(rule => rule.nodes.map(node => ({
        rule: rule.id, impact: rule.impact, help: rule.help, where: node.target.join(" "), html: node.html,
        why: [...node.any, ...node.all, ...node.none].map(check => check.message).join("; ")})));
}"""


@dataclass(frozen=True)
class Violation:
    rule: str
    impact: str | None
    help: str
    where: str
    html: str
    why: str

    def __str__(self) -> str:
        return f"{self.rule} ({self.impact}): {self.help}\n  at {self.where}: {self.html}\n  {self.why}"


@cache
def _script() -> str:
    return SCRIPT.read_text(encoding="utf-8")


def violations(page: Page) -> list[Violation]:
    # Evaluated by the debugger, which the page's own policy does not bind: no page is served differently for it.
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_script())
    return [Violation(**found) for found in page.evaluate(LOOK_OVER, TAGS)]


def assert_accessible(page: Page) -> None:
    found = violations(page)
    assert not found, f"{page.url} has {len(found)} faults:\n" + "\n".join(map(str, found))
