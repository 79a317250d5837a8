"""The page: well-formed, in both languages, without script, and with nothing that text could break out of."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from mediaserver.cause.texts import CAUSES
from mediaserver.clinical import ClinicalClass
from mediaserver.incident.details import evidence
from mediaserver.incident.model import CauseSpan, IncidentReport
from mediaserver.incident.page import POLICY, render
from mediaserver.incident.report import summaries
from mediaserver.incident.times import Times
from mediaserver.incident.words import WORDS, Language
from mediaserver.operations.model import Evidence, TimelineEvent
from mediaserver.zones import VIETNAM, named
from tests.mediaserver.seconds import AT_MS, observer, surgeon

SAMPLES = [
    one for second in range(60) for one in (surgeon(AT_MS + second * 1000), observer(AT_MS + second * 1000))
]
REPORT = IncidentReport(
    room="7QK2",
    clinical_class=ClinicalClass.SURGERY,
    from_ms=AT_MS,
    to_ms=AT_MS + 60_000,
    made_ms=AT_MS + 70_000,
    version="1",
    native_version="1",
    configuration={"limits": {"rooms": 5}},
    causes=[
        CauseSpan(
            cause=CAUSES["relay"],
            severity="hurt",
            evidence=(Evidence(measure="loss_before", value=0.125, limit=0.1, unit="ratio"),),
            participant="surgeon-1",
            began_ms=AT_MS,
            ended_ms=None,
        )
    ],
    legs=summaries(SAMPLES),
    timeline=[TimelineEvent(at_ms=AT_MS, kind="joined", participant="surgeon-1", detail="surgeon")],
    samples=SAMPLES,
    resolution_seconds=4,
    truncated=True,
    dropped_before_ms=AT_MS + 1000,
)


class Tags(HTMLParser):
    """Checks that what is opened is closed, and collects names."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") or name in ("style", "href", "src") for name, _ in attrs)
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_page_has_causes_charts_timeline_and_no_script(language: Language) -> None:
    tags = Tags()
    tags.feed(render(REPORT, language, VIETNAM))
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "form"}
    words = WORDS[language]
    cause = CAUSES["relay"].title
    for expected in (
        words.title,
        words.truncated,
        words.no_identity,
        words.dropped.format(time=Times(language, VIETNAM, AT_MS).moment(AT_MS + 1000)),
        words.kinds["joined"],
        words.resolution.format(seconds=4),
        evidence(REPORT.causes[0].evidence, language),
        "7QK2",
    ):
        assert expected in tags.text
    assert (cause.vi if language == "vi" else cause.en) in tags.text
    page = render(REPORT, language, VIETNAM)
    assert page.count("<svg") >= 4
    assert "<rect" in page, "charts show when the trouble was"
    assert "UTC+07:00" in tags.text


def test_times_are_in_the_zone_asked_for() -> None:
    tokyo = named("Asia/Tokyo")
    page = render(REPORT, "en", tokyo)
    assert "UTC+09:00" in page
    assert Times("en", tokyo, AT_MS).moment(AT_MS) in page
    assert Times("en", VIETNAM, AT_MS).moment(AT_MS) not in page


def test_text_stays_text() -> None:
    bad = "<script>alert(1)</script>\"'&"
    sample = surgeon(participant=bad)
    event = TimelineEvent(at_ms=AT_MS, kind="joined", participant=bad, detail=bad)
    tags = Tags()
    page = render(
        replace(REPORT, room=bad, samples=[sample], timeline=[event], legs=summaries([sample])),
        "en",
        VIETNAM,
    )
    tags.feed(page)
    assert "script" not in tags.seen
    assert bad in tags.text


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    found = re.search(r"<style>(.*?)</style>", render(REPORT, "vi", VIETNAM), re.DOTALL)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in POLICY
    assert "default-src 'none'" in POLICY


def test_nothing_wrong_is_said_only_where_something_was_measured() -> None:
    well = replace(REPORT, causes=[])
    assert WORDS["en"].nothing_found in render(well, "en", VIETNAM)
    assert WORDS["en"].nothing_known in render(replace(well, samples=[]), "en", VIETNAM)
