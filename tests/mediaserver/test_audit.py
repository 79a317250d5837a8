"""What is told where nothing keeps a better log."""

from __future__ import annotations

import structlog.testing

from mediaserver.audit import Audit, LoggedAudit


def test_a_denied_attempt_is_a_warning_and_a_reading_a_line() -> None:
    audit: Audit = LoggedAudit()
    with structlog.testing.capture_logs() as lines:
        audit.denied("operations.board", subject="s", role="observer", room=None)
        audit.read("operations.report", subject="s", role="operator", room="r")
    assert [(line["log_level"], line["action"], line["room"]) for line in lines] == [
        ("warning", "operations.board", None),
        ("info", "operations.report", "r"),
    ]
