"""Production's layer choice at the other end of ``loupe-adaptation``'s pipes.

The program stops at every estimate, change of layers and control tick, writes one line of JSON and waits for
one with wishes. In between stands ``mediaserver.layers``, a pure function:

    choose(before: Choice | None, situation: Situation) -> Choice

``situation`` holds what the control plane knows at a moment, as :class:`Situation` below has it; ``before``
is what the same function returned the last time (``None`` at the beginning of a run), with whatever memory it
needs; ``Choice.wishes`` is a sequence of objects with ``subscription``, ``layer``, ``temporal``, ``paused``
and ``still_seconds``, as :class:`Wish` has them. Everything that time does to it comes in by ``now_seconds``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True)
class Transport:
    """A subscriber's transport, with what its link carries as the plane last said."""

    id: int
    estimate_bps: int | None
    phase: str
    queue_delay_seconds: float
    inherent_loss: float
    congestion_loss: float
    round_trip_seconds: float | None
    volatility: float
    repair_overhead: float = 0.0
    probed: bool = True


@dataclass(frozen=True)
class Layer:
    """A layer: whether it flows, and the rates of its temporal layers, each with those below it."""

    active: bool
    bps: tuple[int, ...]


@dataclass(frozen=True)
class Publication:
    """A publication, ``video`` or ``audio``, with its layers from the lowest up."""

    id: int
    kind: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Subscription:
    """A publication as sent by a transport, with its weight and the layer that is forwarded."""

    id: int
    transport: int
    publication: int
    priority: float
    layer: int | None


@dataclass(frozen=True)
class Situation:
    """All that the control plane knows at a moment."""

    now_seconds: float
    transports: tuple[Transport, ...]
    publications: tuple[Publication, ...]
    subscriptions: tuple[Subscription, ...]


class Wish(Protocol):
    """What shall be forwarded of a subscription; ``None`` is the highest there is."""

    @property
    def subscription(self) -> int:
        """Its number."""

    @property
    def layer(self) -> int | None:
        """Simulcast or spatial layer."""

    @property
    def temporal(self) -> int | None:
        """Temporal layer."""

    @property
    def paused(self) -> bool:
        """Nothing at all."""

    @property
    def still_seconds(self) -> float | None:
        """Nothing but key frames, one in so many seconds."""


class Choice(Protocol):
    """What is wished, and whatever the next choice must know of this one."""

    @property
    def wishes(self) -> Sequence[Wish]:
        """For the subscriptions whose layers may change."""

    @property
    def wants(self) -> Mapping[int, int]:
        """Up to which rate more would be useful, by transport, bits per second."""


Choose: TypeAlias = Callable[[Any, Situation], Choice]
"""What was chosen the last time, ``None`` at first, and what is known now; only itself reads its memory."""


def situation(line: dict[str, Any]) -> Situation:
    """The program's line, as types."""
    return Situation(
        now_seconds=line["t_us"] / 1e6,
        transports=tuple(Transport(**it) for it in line["transports"]),
        publications=tuple(
            Publication(
                it["id"],
                it["kind"],
                tuple(Layer(layer["active"], tuple(layer["bps"])) for layer in it["layers"]),
            )
            for it in line["publications"]
        ),
        subscriptions=tuple(
            Subscription(it["id"], it["transport"], it["publication"], it["priority"], it["layer"])
            for it in line["subscriptions"]
        ),
    )


class Chooser:
    """Answers the program's lines with production's choices."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._before: Choice | None = None

    def answer(self, line: dict[str, Any]) -> dict[str, Any]:
        """The answer to one line; a run that begins knows nothing of the one before."""
        if any(event["event"] == "begin" for event in line["events"]):
            self._before = None
        choice = self._choose(self._before, situation(line))
        self._before = choice
        wishes = [_as_told(wish) for wish in choice.wishes]
        return {"wishes": wishes, "wants": dict(choice.wants)}


def _as_told(wish: Wish) -> dict[str, Any]:
    still = wish.still_seconds
    return {
        "subscription": wish.subscription,
        "layer": wish.layer,
        "temporal": wish.temporal,
        "paused": wish.paused,
        "still_ms": None if still is None else round(still * 1_000),
    }
