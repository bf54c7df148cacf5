"""How a page looks and is walked through: pictures for people to look at, the keyboard, and text twice as large."""

import os
import re
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.visit import SIZES

TOP = Path(__file__).parents[2]
# A page with more places to stop at than this is not walked by anybody.
MOST_STOPS = 300


def keep(page: Page, name: str) -> Path:
    """A picture of the whole page, in the folder named by SCREENSHOTS or in .screenshots: `name-phone-ja.png`."""
    folder = Path(os.environ.get("SCREENSHOTS") or TOP / ".screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    widths = {size["viewport"]["width"]: name for name, size in SIZES.items()}
    width = page.viewport_size["width"]
    page.wait_for_load_state("domcontentloaded")
    language = page.evaluate("document.documentElement.lang") or "xx"
    file = folder / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower())}-{widths.get(width, width)}-{language}.png"
    # Without `caret` a style would be put into the page, against its own policy.
    page.screenshot(path=file, full_page=True, caret="initial", scale="css")
    return file


# ── the keyboard ──

_STOPS = """() => {
    const kinds = "a[href], area[href], button, input:not([type=hidden]), select, textarea, summary, iframe, "
        + "audio[controls], video[controls], [contenteditable=''], [contenteditable=true], [tabindex]";
    const shown = one => one.checkVisibility({visibilityProperty: true}) && one.getClientRects().length > 0;
    // What is only pointed at by our own links or scripts, like a heading, need not be a stop; a button must be.
    const own = kinds.replace(", [tabindex]", "");
    const reachable = one => (one.matches(own) || one.tabIndex >= 0) && !one.matches(":disabled")
        && !one.closest("[inert]") && shown(one);
    // Of some buttons of which one is to be chosen, the Tab key stops at one only.
    const chosen = one => {
        if (one.type !== "radio" || !one.name) return true;
        const group = [...document.getElementsByName(one.name)].filter(
            other => other.type === "radio" && other.form === one.form && reachable(other));
        return one === (group.find(other => other.checked) ?? group[0]);
    };
    const first = one => one.tagName !== "SUMMARY" || one === one.parentElement.querySelector(":scope > summary");
    const name = one => {
        const said = one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText || one.value || one.name;
        return `${one.localName} ${(said || one.id || one.href || "").trim().replace(/\\s+/g, " ").slice(0, 60)}`.trim();
    };
    const ring = one => [one, one.closest("label"), one.labels?.[0], one.parentElement].map(near => {
        if (!near) return "";
        const style = getComputedStyle(near);
        const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
            && !/^rgba.*, 0\\)$/.test(style.outlineColor) ? `${style.outlineColor} ${style.outlineWidth}` : "";
        return outline + (style.boxShadow === "none" ? "" : style.boxShadow);
    });
    document.activeElement?.blur();
    const stops = [...document.querySelectorAll(kinds)].filter(one => reachable(one) && chosen(one) && first(one));
    window.__walk = {stops, name, ring, before: new Map(stops.map(one => [one, ring(one)]))};
    // The walk starts at the top, whatever was touched before.
    const had = document.body.getAttribute("tabindex");
    document.body.setAttribute("tabindex", "-1");
    document.body.focus({preventScroll: true});
    had === null ? document.body.removeAttribute("tabindex") : document.body.setAttribute("tabindex", had);
    return {stops: stops.map(name), ownOrder: stops.filter(one => one.tabIndex > 0).map(name)};
}"""

_HERE = """() => {
    const {stops, name, ring, before} = window.__walk;
    const one = document.activeElement;
    if (!one || one === document.body || one === document.documentElement) return null;
    const now = ring(one), was = before.get(one) ?? [];
    const box = one.getBoundingClientRect();
    const points = [[.5, .5], [.1, .1], [.9, .1], [.1, .9], [.9, .9]].map(
        ([x, y]) => document.elementFromPoint(box.left + box.width * x, box.top + box.height * y));
    const seen = points.some(on => on && (on === one || one.contains(on) || one.closest("label")?.contains(on)
        || [...(one.labels ?? [])].some(label => label.contains(on))));
    return {stop: stops.indexOf(one), name: name(one), ring: now.some((style, i) => style && style !== was[i]), seen,
        parts: one.matches("input[type=date], input[type=time], input[type=month], input[type=week], "
            + "input[type=datetime-local], audio, video, iframe")};
}"""


def walk_by_keyboard(page: Page) -> list[str]:
    """Presses Tab from the top to the end of the page and says where it stopped.

    Fails unless every link, button and field that can be seen was reached, in the order in which it is written, with a
    ring that was not there before, not hidden behind anything, and with a way on.
    """
    found = page.evaluate(_STOPS)
    stops = found["stops"]
    assert not found["ownOrder"], f"{page.url}: not in the order of the page: {', '.join(found['ownOrder'])}"
    walked: list[int] = []
    names: list[str] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        here = page.evaluate(_HERE)
        if here is None:
            break
        if walked and here["stop"] == walked[-1]:
            # A field for a date has several parts, each a stop of its own.
            assert here["parts"], f"{page.url}: no way on from: {here['name']}"
            continue
        assert here["ring"], f"{page.url}: no ring shows the focus at: {here['name']}"
        assert here["seen"], f"{page.url}: something hides: {here['name']}"
        assert here["stop"] not in walked, f"{page.url}: the walk goes round in a ring at: {here['name']}"
        walked.append(here["stop"])
        names.append(here["name"])
    else:
        raise AssertionError(f"{page.url}: the walk does not end after {MOST_STOPS} stops")
    missed = [name for place, name in enumerate(stops) if place not in walked]
    assert not missed, f"{page.url}: the Tab key does not reach: {', '.join(missed)}"
    assert walked == sorted(walked), f"{page.url}: not in the order of the page: {', '.join(names)}"
    return names


# ── text twice as large ──

_OVERFLOWS = """() => {
    const width = document.documentElement.clientWidth;
    const name = one => `${one.localName}${one.id ? "#" + one.id : ""}${[...one.classList].map(c => "." + c).join("")} `
        + `"${(one.innerText ?? "").trim().replace(/\\s+/g, " ").slice(0, 40)}"`;
    const shown = one => one.checkVisibility({visibilityProperty: true, opacityProperty: true});
    // What only a screen reader is told is kept in a corner of one pixel.
    const spoken = one => one.clientWidth <= 1 && one.clientHeight <= 1 && getComputedStyle(one).overflow !== "visible";
    const found = [];
    if (document.scrollingElement.scrollWidth > width + 1) {
        found.push(`the page is ${document.scrollingElement.scrollWidth} wide where ${width} can be seen`);
    }
    for (const one of document.body.querySelectorAll("*")) {
        if (!shown(one)) continue;
        let scrolls = false, hidden = false;
        for (let up = one; up && up !== document.body; up = up.parentElement) {
            if (up !== one && /auto|scroll/.test(getComputedStyle(up).overflowX)) scrolls = true;
            if (spoken(up)) hidden = true;
        }
        if (hidden) continue;
        const style = getComputedStyle(one);
        const says = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        const text = document.createRange();
        text.selectNodeContents(one);
        const right = Math.max(one.getBoundingClientRect().right,
            says && !/auto|scroll/.test(style.overflowX) ? text.getBoundingClientRect().right : 0);
        if (!scrolls && one.getClientRects().length && right > width + 1) {
            found.push(`sticks out by ${Math.round(right - width)}: ${name(one)}`);
        }
        const wide = one.scrollWidth > one.clientWidth + 1, high = one.scrollHeight > one.clientHeight + 1;
        const holds = says || one.querySelector("*") !== null;
        const cuts = (/hidden|clip/.test(style.overflowX) && wide) || (/hidden|clip/.test(style.overflowY) && high);
        if (holds && style.display !== "inline" && cuts) found.push(`text is cut off: ${name(one)}`);
        else if (one.matches("button, [role=button]") && (wide || high)) found.push(`text does not fit: ${name(one)}`);
    }
    return found;
}"""

_TEXT_SIZES = """() => {
    const sizes = [];
    for (const one of document.body.querySelectorAll("*")) {
        // A drawing grows as a whole, with its letters, up to the width of the page.
        if (one.closest("svg")) continue;
        const says = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if ((says || one.matches("input, select, textarea")) && one.checkVisibility()) {
            sizes.push([`${one.localName} "${(one.innerText ?? "").trim().slice(0, 30)}"`,
                parseFloat(getComputedStyle(one).fontSize)]);
        }
    }
    return sizes;
}"""

# Whoever has told the browser to write larger is not heard by a page that begins with a size of its own.
_FIXED = """() => [...document.styleSheets].flatMap(sheet => [...sheet.cssRules])
    .filter(rule => rule.selectorText && document.documentElement.matches(rule.selectorText)
        && /[0-9](px|pt|mm|cm|in)/.test(rule.style.fontSize))
    .map(rule => `${rule.selectorText} has letters of ${rule.style.fontSize}, whatever the reader has chosen: write %`)"""

_DOUBLE = """() => {
    const root = document.documentElement, had = root.style.fontSize, is_styled = root.hasAttribute("style");
    root.style.fontSize = `${parseFloat(getComputedStyle(root).fontSize) * 2}px`;
    window.__halve = () => {
        root.style.fontSize = had;
        // Chromium leaves an empty one unless it has been asked for it before.
        if (!is_styled && root.hasAttribute("style")) root.removeAttribute("style");
    };
}"""


def overflows(page: Page) -> list[str]:
    """What sticks out sideways, is cut off or stays small at twice the size: by the browser's zoom, which halves what
    fits beside one another, and by larger letters alone. Afterwards the page is as it was."""
    viewport = page.viewport_size
    page.set_viewport_size({**viewport, "width": viewport["width"] // 2})
    zoomed = [f"at 200 %: {found}" for found in page.evaluate(_OVERFLOWS)]
    page.set_viewport_size(viewport)
    before = page.evaluate(_TEXT_SIZES)
    page.evaluate(_DOUBLE)
    after = page.evaluate(_TEXT_SIZES)
    letters = [f"with letters twice as large: {found}" for found in page.evaluate(_OVERFLOWS)]
    page.evaluate("window.__halve()")
    small = [
        f"letters stay at {now} where they were {was}: {name}"
        for (name, was), (_, now) in zip(before, after, strict=True)
        if now < was * 1.9
    ]
    return [*zoomed, *letters, *small, *page.evaluate(_FIXED)]
