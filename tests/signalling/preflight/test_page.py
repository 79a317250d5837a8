"""One page: what is blocked first, what to ask for last, nothing of it markup from outside."""

from __future__ import annotations

from signalling.preflight.findings import Finding, Preflight, Verdict
from signalling.preflight.page import as_html, as_text, requests

FOUND = Preflight(
    server="https://h.example:8443",
    at_ms=1_790_000_000_000,
    findings=[
        Finding(item="tcp", verdict=Verdict.OPEN, where="h.example TCP 8443", detail="3 ms"),
        Finding(item="tls", verdict=Verdict.WEAK, where="h.example TCP 8443", detail="<b>Proxy</b>, 3 d"),
        Finding(item="udp", verdict=Verdict.BLOCKED, where="192.0.2.7 UDP 7882", detail="ICE: failed"),
    ],
)


def test_the_text_has_all_three_and_names_the_port_to_open() -> None:
    text = as_text(FOUND, "en")
    assert text.index("BLOCKED") < text.index("OPEN, BUT NOTE") < text.index("✓ TCP")
    assert "✗ Pictures and sound (UDP) – 192.0.2.7 UDP 7882" in text
    asked = text[text.index("WHAT TO ASK FOR") :]
    assert "192.0.2.7 UDP 7882" in asked
    assert asked.index("192.0.2.7") < asked.index("certificate"), "what is blocked comes first"
    assert "NOT TESTED" not in text


def test_nothing_to_ask_for_is_said() -> None:
    fine = Preflight(server="https://h", at_ms=0, findings=[FOUND.findings[0]])
    assert "Không cần làm gì" in as_text(fine, "vi")
    assert "Nothing needs to be done" in as_html(fine, "en")


def test_an_untested_way_says_how_to_test_it() -> None:
    untested = Preflight(
        server="https://h", at_ms=0, findings=[Finding(item="invitation", verdict=Verdict.UNTESTED)]
    )
    assert "--preflight" in requests(untested, "vi")[0]
    assert "CHƯA THỬ" in as_text(untested, "vi")


def test_a_busy_server_is_to_be_asked_again() -> None:
    busy = Preflight(
        server="https://h", at_ms=0, findings=[Finding(item="capacity", verdict=Verdict.UNTESTED)]
    )
    assert busy.passed
    assert "in a minute" in requests(busy, "en")[0]


def test_the_html_is_whole_and_what_a_server_says_is_text() -> None:
    html = as_html(FOUND, "vi")
    assert html.startswith("<!doctype html>")
    assert "&lt;b&gt;Proxy&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "http://" not in html.replace("https://h.example:8443", "")
    for verdict in ("blocked", "weak", "open"):
        assert f'<h2 class="{verdict}">' in html
