"""Layer choice for all viewers at once, as the adaptation benchmark's program asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from mediaserver.events import Kind
from mediaserver.layers.choice import State, decide
from mediaserver.layers.rates import is_settled
from mediaserver.layers.terms import Demand, Encoding, Forward, Link, Phase, Sending, Still


class Transport(Protocol):
    """A viewer; beyond this a transport may carry what ``Link`` has, by the same names."""

    @property
    def id(self) -> int: ...
    @property
    def estimate_bps(self) -> int | None: ...


class Layer(Protocol):
    """An encoding: whether it flows, and the rates of its temporal layers, cumulative."""

    @property
    def active(self) -> bool: ...
    @property
    def bps(self) -> tuple[int, ...]: ...


class Publication(Protocol):
    """``video`` or ``audio``."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def layers(self) -> Sequence[Layer]: ...


class Subscription(Protocol):
    """The picture of the greatest priority above 1 counts as pinned."""

    @property
    def id(self) -> int: ...
    @property
    def transport(self) -> int: ...
    @property
    def publication(self) -> int: ...
    @property
    def priority(self) -> float: ...


class Situation(Protocol):
    """All that the control plane knows at a moment."""

    @property
    def now_seconds(self) -> float: ...
    @property
    def transports(self) -> Sequence[Transport]: ...
    @property
    def publications(self) -> Sequence[Publication]: ...
    @property
    def subscriptions(self) -> Sequence[Subscription]: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be forwarded of a subscription; ``None`` takes all."""

    subscription: int
    layer: int | None = None
    temporal: int | None = None
    paused: bool = False
    still_seconds: float | None = None
    """Between two stills; ``None``: it moves."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Wishes, each viewer's memory, and up to which rate more would be useful to them."""

    wishes: tuple[Wish, ...]
    states: Mapping[int, State] = field(repr=False)
    wants: Mapping[int, int]
    flowing: Mapping[tuple[int, int], float] = field(default_factory=dict, repr=False)
    """Since when each layer of a publication flows."""


def choose(before: Chosen | None, situation: Situation) -> Chosen:
    """A decision for every transport; ``before`` is what this returned the last time."""
    flowing = _flowing(before.flowing if before is not None else {}, situation)
    publications = {
        publication.id: (publication, _encodings(publication, flowing, situation.now_seconds))
        for publication in situation.publications
    }
    wishes: list[Wish] = []
    states: dict[int, State] = {}
    wants: dict[int, int] = {}
    for transport in situation.transports:
        own = [one for one in situation.subscriptions if one.transport == transport.id]
        top = max((one.priority for one in own), default=1.0)
        demands = [_demand(one, *publications[one.publication], top) for one in own]
        state = before.states.get(transport.id) if before is not None else None
        decision = decide(situation.now_seconds, _link(transport), demands, state or State())
        states[transport.id], wants[transport.id] = decision.state, decision.want
        for demand in demands:
            wishes.extend(_wish(demand, decision.choices[demand.key].sending))
    return Chosen(tuple(wishes), states, wants, flowing)


def _flowing(before: Mapping[tuple[int, int], float], situation: Situation) -> dict[tuple[int, int], float]:
    return {
        (publication.id, index): before.get((publication.id, index), situation.now_seconds)
        for publication in situation.publications
        for index, layer in enumerate(publication.layers)
        if layer.active
    }


def _encodings(
    publication: Publication, flowing: Mapping[tuple[int, int], float], now: float
) -> tuple[Encoding, ...]:
    found = []
    for index, layer in enumerate(publication.layers):
        since = flowing.get((publication.id, index))
        rates = (layer.bps,) if layer.bps else ()
        found.append(Encoding(rates, layer.active, is_settled(since, now)))
    return tuple(found)


def _wish(demand: Demand, sending: Sending) -> list[Wish]:
    if isinstance(sending, Forward) and demand.kind == "video":
        return [Wish(demand.key, sending.option.encoding, sending.option.temporal)]
    if isinstance(sending, Forward):
        return []
    if isinstance(sending, Still):
        return [Wish(demand.key, sending.option.encoding, still_seconds=sending.interval_seconds)]
    return [Wish(demand.key, paused=True)]


def _link(transport: Transport) -> Link:
    def told(name: str, default: float) -> float:
        return float(getattr(transport, name, default))

    return Link(
        estimate=transport.estimate_bps,
        phase=cast(Phase, getattr(transport, "phase", "steady")),
        repair_overhead=told("repair_overhead", 0.0),
        probed=bool(getattr(transport, "probed", True)),
        queue_delay_seconds=told("queue_delay_seconds", 0.0),
        inherent_loss=told("inherent_loss", 0.0),
        congestion_loss=told("congestion_loss", 0.0),
        volatility=told("volatility", 0.2),
        round_trip_seconds=getattr(transport, "round_trip_seconds", None),
    )


def _demand(
    subscription: Subscription, publication: Publication, encodings: tuple[Encoding, ...], top: float
) -> Demand:
    audio = publication.kind == "audio"
    return Demand(
        key=subscription.id,
        kind=cast(Kind, publication.kind),
        source_type="microphone" if audio else "endoscope",
        encodings=encodings,
        talkback=audio,
        pinned=not audio and subscription.priority == top > 1,
    )
