"""Every choice says why it is not more, and the whole says where the viewer stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mediaserver.layers import Decision, Demand, Encoding, Link, Reason, State, Step, decide
from tests.mediaserver.layers.viewing import LADDER, picture, queued, steady, voice


def settled(
    link: Link, demands: Sequence[Demand], state: State | None = None, seconds: float = 3.0
) -> Decision:
    state = State() if state is None else state
    start = 0.0 if state.began is None else 1_000.0
    decision = decide(start, link, demands, state)
    for tick in range(1, int(seconds * 10)):
        decision = decide(start + tick / 10, link, demands, decision.state)
    return decision


def without_top(*, dormant: bool) -> Demand:
    return replace(picture(), encodings=(*picture().encodings[:2], Encoding(flows=False, dormant=dormant)))


@pytest.mark.parametrize(
    ("link", "demand", "reason", "step"),
    [
        (steady(5_000_000), picture(), Reason.FULL, Step.FULL),
        (steady(5_000_000), picture(cap=1), Reason.SHOWN_SMALL, Step.FULL),
        (steady(5_000_000), picture(cap=1, limited=True), Reason.LIMITED, Step.FULL),
        (steady(5_000_000), picture(hidden=True), Reason.HIDDEN, Step.FULL),
        (steady(5_000_000), picture(muted=True), Reason.MUTED, Step.FULL),
        (steady(5_000_000), without_top(dormant=False), Reason.PUBLISHER, Step.FULL),
        (steady(5_000_000), without_top(dormant=True), Reason.FULL, Step.FULL),
        (steady(800_000), without_top(dormant=True), Reason.LINK, Step.REDUCED),
        (
            steady(5_000_000),
            replace(picture(), encodings=(Encoding(flows=False),)),
            Reason.NO_SIGNAL,
            Step.FULL,
        ),
        (steady(700_000), picture(), Reason.LINK, Step.REDUCED),
        (replace(steady(700_000), phase="start"), picture(), Reason.MEASURING, Step.REDUCED),
        (steady(100_000), picture(), Reason.LINK, Step.STILLS),
        (steady(60_000), picture(), Reason.LINK, Step.SOUND),
        (steady(60_000), picture(source="room"), Reason.LINK, Step.SOUND),
    ],
)
def test_one_picture(link: Link, demand: Demand, reason: Reason, step: Step) -> None:
    decision = settled(link, [voice(), demand])
    assert (decision.choices[2].reason, decision.step) == (reason, step)


def test_a_picture_that_would_fit_alone_gives_way_to_a_more_important_one() -> None:
    decision = settled(steady(2_000_000), [voice(), picture(), picture(3, "room")])
    assert decision.choices[3].reason == Reason.PRIORITY
    assert decision.step == Step.REDUCED


def test_a_link_that_just_became_better_is_settling() -> None:
    low = settled(steady(700_000), [voice(), picture()])
    assert (
        decide(1_000.0, steady(3_000_000, 1.0), [voice(), picture()], low.state).choices[2].reason
        == Reason.SETTLING
    )


def test_a_voice_is_never_called_less_important() -> None:
    decision = settled(queued(80_000), [voice(), voice(3, talkback=False)])
    assert decision.choices[3].reason == Reason.LINK


def test_silence_is_said_after_a_second() -> None:
    full = settled(steady(5_000_000), [voice(), picture()])
    silent = replace(steady(5_000_000), phase="silent")
    assert settled(silent, [voice(), picture()], full.state, 0.9).step == Step.FULL
    late = settled(silent, [voice(), picture()], full.state, 2.0)
    assert (late.step, late.choices[2].reason) == (Step.SILENT, Reason.SILENT)


def test_a_hidden_picture_hurts_nobody_but_a_chosen_one_counts() -> None:
    thin = [voice(), picture(hidden=True), picture(3, "ultrasound", (LADDER[2],))]
    assert settled(steady(350_000), thin).step == Step.STILLS
