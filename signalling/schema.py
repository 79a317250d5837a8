"""What is generated from code: ``docs/protocol.schema.json``, ``docs/operations.schema.json``, and the
table and diagram in ``docs/protocol.md``.

``python -m signalling.schema`` writes them; a test fails when they are not current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from mediaserver.operations import model
from signalling import messages
from signalling.close_codes import CloseCode
from signalling.protocol import INPUTS, TABLE, Cell, Input, Signal, State, Step

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA_FILE = "protocol.schema.json"
OPERATIONS_SCHEMA_FILE = "operations.schema.json"
PROTOCOL_FILE = "protocol.md"
MARK = "<!-- generated: {name} -->"
END = "<!-- end -->"


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of everything that goes over the socket; ``anyOf`` of what each side may send."""
    kinds = [messages.Request, messages.Response, messages.Event]
    (request, response, event), components = msgspec.json.schema_components(
        kinds, ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{messages.PROTOCOL.removesuffix('.json').replace('.', ':')}",
        "title": messages.PROTOCOL,
        "$defs": {**components, "Request": request, "Response": response, "Event": event},
        "anyOf": [{"$ref": "#/$defs/Request"}, {"$ref": "#/$defs/Response"}, {"$ref": "#/$defs/Event"}],
    }


def schema_text() -> str:
    """As the file holds it."""
    return json.dumps(schema(), indent=2) + "\n"


OPERATIONS_ANSWERS = (
    model.Board,
    model.CauseList,
    model.RoomSpanPage,
    model.RoomDetail,
    model.HistoryPage,
    model.TimelinePage,
    model.IncidentReport,
    model.AlertPage,
)
"""What the operations interface answers (``docs/operations-api.md``)."""


def operations_schema_text() -> str:
    """JSON Schema of the operations interface, as the file holds it: the pages' types come from it."""
    _, components = msgspec.json.schema_components(
        OPERATIONS_ANSWERS,
        ref_template="#/$defs/{name}",
    )
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:loupe:operations:v1",
        "title": "operations",
        "$defs": components,
    }
    return json.dumps(schema, indent=2) + "\n"


def input_name(entry: Input) -> str:
    """How the documents call an input: a message by its type, a signal in brackets."""
    if isinstance(entry, Signal):
        return f"({entry.value})"
    return str(msgspec.inspect.type_info(entry).tag)  # type: ignore[attr-defined]


def _cell_text(cell: Cell) -> str:
    if cell.step is Step.IGNORE:
        return "–"
    close = "" if cell.close is None else f" {int(cell.close)}"
    words = {
        Step.ADMIT: "check, `hello`",
        Step.PERFORM: "do, answer",
        Step.REFUSE: f"`error`{', close' if cell.close else ''}",
        Step.LEAVE: "`ok`, close",
        Step.CLOSE: "close",
    }
    return f"{words[cell.step]}{close}"


def table_text() -> str:
    """The transition table in Markdown."""
    states = list(TABLE)
    lines = [
        "| comes in | " + " | ".join(_state_name(state) for state in states) + " |",
        "|---|" + "---|" * len(states),
    ]
    for entry in INPUTS:
        cells = " | ".join(_cell_text(TABLE[state][entry]) for state in states)
        lines.append(f"| `{input_name(entry)}` | {cells} |")
    return "\n".join(lines)


def _state_name(state: type[State]) -> str:
    return state.__name__


def diagram_text() -> str:
    """The states as a Mermaid diagram, edges gathered by where they lead."""
    edges: dict[tuple[str, str], list[str]] = {}
    for state, row in TABLE.items():
        for entry, cell in row.items():
            name = input_name(entry)
            if cell.step is Step.ADMIT:
                edges.setdefault((_state_name(state), "Joined"), []).append(f"{name} granted")
            elif cell.close is not None:
                edges.setdefault((_state_name(state), "Closed"), []).append(name)
            elif cell.step in (Step.PERFORM, Step.REFUSE):
                edges.setdefault((_state_name(state), _state_name(state)), []).append(name)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> AwaitingJoin: socket opens"]
    for (start, end), names in edges.items():
        lines.append(f"    {start} --> {end}: {', '.join(names)}")
    lines += ["    Closed --> [*]", "```"]
    return "\n".join(lines)


def close_codes_text() -> str:
    """The close codes in Markdown."""
    lines = ["| code | why | retry? |", "|---|---|---|"]
    lines += [f"| {int(code)} | {code.meaning} | {code.retry.value} |" for code in CloseCode]
    return "\n".join(lines)


def fill(text: str) -> str:
    """A document with every generated part made anew.

    Raises:
        ValueError: a mark is missing.
    """
    for name, made in (
        ("diagram", diagram_text()),
        ("table", table_text()),
        ("close codes", close_codes_text()),
    ):
        mark = MARK.format(name=name)
        start = text.index(mark) + len(mark)
        end = text.index(END, start)
        text = f"{text[:start]}\n{made}\n{text[end:]}"
    return text


def write(docs: Path = DOCS) -> None:
    """Writes all files."""
    (docs / SCHEMA_FILE).write_text(schema_text())
    (docs / OPERATIONS_SCHEMA_FILE).write_text(operations_schema_text())
    document = docs / PROTOCOL_FILE
    document.write_text(fill(document.read_text()))


if __name__ == "__main__":
    write()
