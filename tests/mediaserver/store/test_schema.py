"""The tables' own types, and that what names somebody is sealed by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import cast

import pytest
from sqlalchemy import Dialect, LargeBinary

from mediaserver.store.schema import UtcTime, metadata, now

DIALECT = cast(Dialect, None)


def test_times_are_kept_to_the_millisecond_in_utc() -> None:
    moment = now()
    kept = UtcTime().process_bind_param(moment, DIALECT)
    assert isinstance(kept, int)
    assert UtcTime().process_result_value(kept, DIALECT) == moment
    hanoi = datetime(2026, 11, 25, 7, 30, tzinfo=timezone(timedelta(hours=7)))
    kept = UtcTime().process_bind_param(hanoi, DIALECT)
    assert UtcTime().process_result_value(kept, DIALECT) == datetime(2026, 11, 25, 0, 30, tzinfo=UTC)
    assert UtcTime().process_bind_param(None, DIALECT) is None
    with pytest.raises(ValueError, match="zone"):
        UtcTime().process_bind_param(datetime(2026, 1, 1), DIALECT)  # noqa: DTZ001


def test_free_text_is_sealed() -> None:
    for table in metadata.tables.values():
        for column in table.columns:
            assert column.name.startswith("sealed_") <= isinstance(column.type, LargeBinary), column
            assert column.name not in {"name", "reference", "label", "reason", "title", "finding"}, column
