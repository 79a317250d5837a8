"""What is generated is current, and the schema says what the parser does."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import pytest

from signalling import messages, schema
from tests.signalling.conftest import House
from tests.signalling.test_protocol import HELLO, SAMPLES


def test_the_exported_operations_schema_is_current() -> None:
    assert (schema.DOCS / schema.OPERATIONS_SCHEMA_FILE).read_text() == schema.operations_schema_text(), (
        "run: python -m signalling.schema"
    )


def test_the_words_that_page_and_report_share_are_current() -> None:
    assert schema.WORDS_FILE.read_text() == schema.operations_words_text(), "run: python -m signalling.schema"


def test_the_exported_schema_is_current() -> None:
    assert (schema.DOCS / schema.SCHEMA_FILE).read_text() == schema.schema_text(), (
        "run: python -m signalling.schema"
    )


def test_the_documents_table_and_diagram_are_current() -> None:
    text = (schema.DOCS / schema.PROTOCOL_FILE).read_text()
    assert schema.fill(text) == text, "run: python -m signalling.schema"


def test_the_document_names_every_message_and_error_code() -> None:
    text = (schema.DOCS / schema.PROTOCOL_FILE).read_text()
    for kind in (*messages.Request.__args__, *messages.Response.__args__, *messages.Event.__args__):
        tag = kind.__struct_config__.tag
        assert f"`{tag}`" in text, tag
        for name in kind.__struct_fields__:
            assert f"`{name}" in text, f"{tag}.{name}"


@pytest.fixture(scope="module")
def validator() -> jsonschema.protocols.Validator:
    found = schema.schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("message", [*SAMPLES.values(), HELLO], ids=lambda message: type(message).__name__)
def test_the_schema_takes_what_goes_over_the_wire(validator: Any, message: Any) -> None:
    validator.validate(msgspec.json.decode(msgspec.json.encode(message)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "chat", "id": 1},
        {"type": "chat", "id": 1, "text": ""},
        {"type": "chat", "id": -1, "text": "x"},
        {"type": "dance", "id": 1},
        {"type": "prefer", "id": 1, "publication": "p", "layer": 4},
    ],
)
def test_the_schema_and_the_parser_refuse_alike(validator: Any, wrong: dict[str, Any]) -> None:
    assert not validator.is_valid(wrong)
    with pytest.raises(msgspec.ValidationError):
        messages.parse(msgspec.json.encode(wrong))


async def test_what_the_server_sends_follows_the_schema(house: House, validator: Any) -> None:
    surgeon, hello = await house.join("surgeon")
    validator.validate(hello)
    observer, _ = await house.join("observer")
    answers = [
        await surgeon.ask("chat", text="x"),
        await surgeon.ask("ping"),
        await surgeon.ask("mute", publication="none", muted=True),
        await surgeon.ask("publish", sdp="nonsense", sources=[]),
    ]
    await observer.event("chat_line")
    for message in (*answers, *surgeon.events, *observer.events):
        validator.validate(message)
