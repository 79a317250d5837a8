"""The preflight as one page: text for a terminal or an e-mail, HTML for the printer."""

from __future__ import annotations

import datetime
from html import escape

from signalling.preflight.findings import Finding, Preflight, Verdict
from signalling.preflight.texts import STEPS, WORDS, Language, Words

_ORDER = (Verdict.BLOCKED, Verdict.WEAK, Verdict.UNTESTED, Verdict.OPEN)
_MARKS = {Verdict.OPEN: "✓", Verdict.WEAK: "!", Verdict.BLOCKED: "✗", Verdict.UNTESTED: "?"}


def _headings(words: Words) -> dict[Verdict, str]:
    return {
        Verdict.OPEN: words.open,
        Verdict.WEAK: words.weak,
        Verdict.BLOCKED: words.blocked,
        Verdict.UNTESTED: words.untested,
    }


def _line(finding: Finding, language: Language) -> str:
    told = ": ".join(part for part in (finding.where, finding.detail) if part)
    title = STEPS[language][finding.item].title
    return f"{title} – {told}" if told else title


def requests(preflight: Preflight, language: Language) -> list[str]:
    """What to ask for: what is blocked first, then in the order in which one thing needs the other."""
    asked = []
    for finding in sorted(preflight.findings, key=lambda one: _ORDER.index(one.verdict)):
        step = STEPS[language][finding.item]
        if finding.verdict is Verdict.BLOCKED:
            asked.append(step.blocked.format(where=finding.where))
        elif finding.verdict is Verdict.WEAK:
            asked.append(step.weak.format(where=finding.where))
        elif finding.item == "invitation" and finding.verdict is Verdict.UNTESTED:
            asked.append(WORDS[language].invitation_needed)
        elif finding.item == "capacity":
            asked.append(step.weak)
    return asked


def _when(preflight: Preflight) -> str:
    at = datetime.datetime.fromtimestamp(preflight.at_ms / 1000).astimezone()
    return at.strftime("%d/%m/%Y %H:%M (UTC%z)")


def as_text(preflight: Preflight, language: Language) -> str:
    """Plain text."""
    words = WORDS[language]
    lines = [words.heading, f"{words.server}: {preflight.server}    {_when(preflight)}"]
    for verdict in _ORDER:
        found = [finding for finding in preflight.findings if finding.verdict is verdict]
        if verdict is Verdict.UNTESTED and not found:
            continue
        lines += ["", _headings(words)[verdict]]
        lines += [f"  {_MARKS[verdict]} {_line(finding, language)}" for finding in found] or [
            f"  {words.nothing}"
        ]
    lines += ["", words.ask]
    asked = requests(preflight, language)
    lines += [f"  {number}. {text}" for number, text in enumerate(asked, 1)] or [f"  {words.all_open}"]
    return "\n".join(lines)


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.3rem}h2{font-size:1.05rem;border-bottom:2px solid;margin-bottom:.3rem}"
    "ul{list-style:none;padding:0}li{overflow-wrap:anywhere}"
    ".blocked{color:#a00}.weak{color:#7a4b00}.open{color:#060}.untested{color:#444}"
)


def as_html(preflight: Preflight, language: Language) -> str:
    """One printable page that fetches nothing."""
    words = WORDS[language]
    parts = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">',
        f"<title>{escape(words.heading)}</title><style>{_STYLE}</style></head>",
        f"<body><h1>{escape(words.heading)}</h1>",
        f"<p>{escape(words.server)}: <strong>{escape(preflight.server)}</strong> · {_when(preflight)}</p>",
    ]
    for verdict in _ORDER:
        found = [finding for finding in preflight.findings if finding.verdict is verdict]
        if verdict is Verdict.UNTESTED and not found:
            continue
        items = "".join(f"<li>{_MARKS[verdict]} {escape(_line(one, language))}</li>" for one in found)
        parts.append(f'<h2 class="{verdict.value}">{escape(_headings(words)[verdict])}</h2>')
        parts.append(f"<ul>{items}</ul>" if items else f"<p>{escape(words.nothing)}</p>")
    asked = "".join(f"<li>{escape(text)}</li>" for text in requests(preflight, language))
    parts.append(f"<h2>{escape(words.ask)}</h2>")
    parts.append(f"<ol>{asked}</ol>" if asked else f"<p>{escape(words.all_open)}</p>")
    return "".join([*parts, "</body></html>\n"])
