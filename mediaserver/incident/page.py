"""The report as one page: to read, print and keep. Everything is in it, and it runs no script. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from functools import partial
from html import escape

from mediaserver.incident import configuration
from mediaserver.incident.chart import GAP_MS, Axis, Band, Series, line_chart
from mediaserver.incident.details import detail, evidence
from mediaserver.incident.model import IncidentReport, LegSummary
from mediaserver.incident.times import Times
from mediaserver.incident.words import WORDS, Language, Words, number
from mediaserver.operations.model import Sample, Text

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#111;"
    "background:#fff}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #999}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;vertical-align:top;"
    "border-bottom:1px solid #ddd}svg{max-width:100%;height:auto;display:block;margin:.5rem 0}"
    "figure{margin:0;break-inside:avoid}tr{break-inside:avoid}"
    "section{overflow-x:auto}rect{print-color-adjust:exact}"
    "@media print{body{margin:0;max-width:none}section{overflow:visible}h2{break-after:avoid}}"
)
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""By what a content security policy allows the style, as that of a page that shows the report in a tab."""
POLICY = f"default-src 'none'; frame-ancestors 'none'; style-src {STYLE_SOURCE}"
"""The content security policy that the page needs: its own style and nothing else."""
UNKNOWN = "–"


def render(report: IncidentReport, language: Language, zone: tzinfo) -> str:
    """HTML of the whole report, its times in ``zone``."""
    words = WORDS[language]
    times = Times(language, zone, report.from_ms)
    names = _names(report, words)
    sections = [
        _head(report, words, times),
        _section(words.causes, _causes(report, names, words, times)),
        _section(words.participants, _participants(names, words)),
        _section(words.legs, _legs(report.legs, names, words, language)),
        _section(words.charts, _charts(report, names, words, times)),
        _section(words.timeline, _timeline(report, names, words, times)),
        _section(words.configuration, _configuration(report, words, language)),
    ]
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(words.title)} – {escape(report.room)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(sections)}</body></html>"
    )


def _names(report: IncidentReport, words: Words) -> dict[str, str]:
    """Short names for ids: the role and a letter, in order of appearance."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for sample in report.samples:
        if sample.participant not in names:
            role = words.roles[sample.role]
            counts[role] = counts.get(role, 0) + 1
            names[sample.participant] = f"{role} {counts[role]}"
    return names


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are escaped here."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _head(report: IncidentReport, words: Words, times: Times) -> str:
    kind = UNKNOWN if report.clinical_class is None else words.classes[report.clinical_class]
    span = f"{times.moment(report.from_ms)} – {times.moment(report.to_ms)}"
    facts = _table(
        [words.room, words.clinical_class, words.span, words.made],
        [[report.room, kind, span, times.moment(report.made_ms)]],
    )
    notes = f"{words.times.format(zone=times.distance())} {words.no_identity}"
    warnings = [words.truncated] if report.truncated else []
    if (dropped := report.dropped_before_ms) is not None and dropped > report.from_ms:
        warnings.append(words.dropped.format(time=times.moment(dropped)))
    more = "".join(f"<p><strong>{escape(warning)}</strong></p>" for warning in warnings)
    return f"<h1>{escape(words.title)}</h1>{facts}<p>{escape(notes)}</p>{more}"


def _causes(report: IncidentReport, names: dict[str, str], words: Words, times: Times) -> str:
    if not report.causes:
        return f"<p>{escape(words.nothing_found if report.samples else words.nothing_known)}</p>"

    def own(text: Text) -> str:
        return text.vi if times.language == "vi" else text.en

    return _table(
        [words.began, words.ended, words.cause, words.severity, words.who, words.evidence, words.action],
        (
            [
                times.clock(one.began_ms),
                words.still if one.ended_ms is None else times.clock(one.ended_ms),
                own(one.cause.title),
                words.hurt if one.severity == "hurt" else words.watch,
                names.get(one.participant or "", one.participant or UNKNOWN),
                evidence(one.evidence, times.language) or UNKNOWN,
                own(one.cause.action),
            ]
            for one in report.causes
        ),
    )


def _participants(names: dict[str, str], words: Words) -> str:
    return _table([words.who, "ID"], ([name, id] for id, name in names.items()))


def _legs(legs: Sequence[LegSummary], names: dict[str, str], words: Words, language: Language) -> str:
    def share(value: float | None) -> str:
        return UNKNOWN if value is None else f"{number(value * 100, 1, language)} %"

    def milliseconds(value: float | None) -> str:
        return UNKNOWN if value is None else f"{number(value * 1000, 0, language)} ms"

    return _table(
        [
            words.who,
            words.direction,
            words.mean_rate,
            f"{words.loss_before} ({words.p95})",
            f"{words.loss_after} ({words.p95})",
            f"{words.round_trip} ({words.p95})",
            words.freezes,
        ],
        (
            [
                names.get(leg.participant, leg.participant),
                words.up if leg.direction == "up" else words.down,
                f"{number(leg.mean_bits_per_second / 1000, 0, language)} kbit/s",
                share(leg.loss_before_p95_ratio),
                share(leg.loss_after_p95_ratio),
                milliseconds(leg.round_trip_p95_seconds),
                f"{leg.freezes} ({number(leg.freeze_seconds, 1, language)} s)",
            ]
            for leg in legs
        ),
    )


def _charts(report: IncidentReport, names: dict[str, str], words: Words, times: Times) -> str:
    by_participant: dict[str, list[Sample]] = {}
    for sample in report.samples:
        by_participant.setdefault(sample.participant, []).append(sample)
    axis = _axis(report, times)
    figures = (
        f"<figure>{chart}</figure>"
        for id, samples in by_participant.items()
        for chart in _of_participant(names[id], samples, axis, _bands(report, id), words, times.language)
        if chart
    )
    notes = f"{words.resolution.format(seconds=report.resolution_seconds)} {words.shaded}"
    return f"<p>{escape(notes)}</p>{''.join(figures)}"


def _axis(report: IncidentReport, times: Times) -> Axis:
    """From the first sample to the last: of what lies before and after there is nothing to see."""
    return Axis(
        from_ms=min((one.at_ms for one in report.samples), default=report.from_ms),
        to_ms=max((one.at_ms for one in report.samples), default=report.to_ms),
        clock=times.clock,
        gap_ms=max(GAP_MS, 2000 * report.resolution_seconds),
    )


def _bands(report: IncidentReport, participant: str) -> list[Band]:
    """When this participant had trouble; what hurt lies over what was to be watched."""
    found = [
        Band(one.began_ms, report.to_ms if one.ended_ms is None else one.ended_ms, one.severity)
        for one in report.causes
        if one.participant == participant
    ]
    return sorted(found, key=lambda band: band.severity == "hurt")


def _of_participant(
    name: str, samples: Sequence[Sample], axis: Axis, bands: Sequence[Band], words: Words, language: Language
) -> list[str]:
    def legs(measure: str) -> list[Series]:
        return [
            Series(way, _points(samples, partial(_of_leg, leg=leg, measure=measure)))
            for leg, way in (("up", words.up), ("down", words.down))
        ]

    def views(measure: str) -> list[Series]:
        shown = list(dict.fromkeys(v.publication for one in samples for v in one.views if v.kind == "video"))
        return [
            Series(str(index + 1), _points(samples, partial(_of_view, publication=id, measure=measure)))
            for index, id in enumerate(shown)
        ]

    def chart(title: str, series: list[Series], digits: int, scale: float, unit: str) -> str:
        def show(value: float) -> str:
            return f"{number(value * scale, digits, language)} {unit}".rstrip()

        return line_chart(f"{name}: {title}", series, axis, show, bands)

    return [
        chart(words.rate, legs("bits_per_second"), 0, 0.001, "kbit/s"),
        chart(words.loss_before, legs("loss_before_ratio"), 1, 100, "%"),
        chart(words.round_trip, legs("round_trip_seconds"), 0, 1000, "ms"),
        chart(words.frames, views("frames_per_second"), 0, 1, ""),
        chart(words.freeze, views("freeze_seconds"), 1, 1, "s"),
    ]


def _points(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> list[tuple[int, float]]:
    return [(one.at_ms, float(found)) for one in samples if (found := value(one)) is not None]


def _of_leg(sample: Sample, *, leg: str, measure: str) -> float | None:
    value: float | None = getattr(getattr(sample, leg), measure, None)
    return value


def _of_view(sample: Sample, *, publication: str, measure: str) -> float | None:
    return next((getattr(view, measure) for view in sample.views if view.publication == publication), None)


def _timeline(report: IncidentReport, names: dict[str, str], words: Words, times: Times) -> str:
    return _table(
        [words.time, words.event, words.who, words.detail],
        (
            [
                times.clock(event.at_ms),
                words.kinds[event.kind],
                names.get(event.participant or "", event.participant or UNKNOWN),
                detail(event, times.language),
            ]
            for event in report.timeline
        ),
    )


def _configuration(report: IncidentReport, words: Words, language: Language) -> str:
    versions = f"loupe {report.version}, {report.native_version}"
    table = _table(
        [words.setting, words.value, words.usual], configuration.rows(report.configuration, language)
    )
    return f"<p>{escape(words.version)}: {escape(versions)}</p>{table}"
