"""One viewer between decisions: their link as last told, what was decided, and whether that still holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mediaserver._dataplane import LinkState
from mediaserver.adaptation.wishes import Wishes
from mediaserver.events import Quality
from mediaserver.layers import Decision, Demand, Link, Reason, State, Step, decide
from mediaserver.layers.announcing import Announced, Standing, announce, standing
from mediaserver.layers.choice import is_calm

COMFORT = 1.3
"""A link that carries so much more than is sent changes nothing by carrying a little less."""
ESTIMATE_CHANGED = 0.02
"""Where nothing is to spare, a smaller change of the estimate changes nothing either."""
LOOK_SECONDS = 5.0
"""Between looks at the figures of a viewer for whom nothing had to be decided; else every second."""
NEVER = math.inf
_ALL_IS_WELL = Announced()


@dataclass(eq=False, slots=True)
class Viewer:
    """What layer choice remembers of one participant who watches on one transport."""

    transport: int
    link: Link = field(default_factory=Link)
    round_trip: float | None = None
    state: State = field(default_factory=State)
    demands: Sequence[Demand] = ()
    decision: Decision | None = None
    decided_by: Link = field(default_factory=Link)
    spent: float = 0.0
    """What they are sent takes, in bits per second."""
    due: float = 0.0
    """When to decide again at the latest."""
    wishes: Wishes = field(default_factory=Wishes)
    began: float | None = None
    announced: Announced = _ALL_IS_WELL
    quality: Quality | None = None
    """As last told."""
    unhindered: bool = False
    """As last decided, but for uploads that break pictures."""
    look_at: float = 0.0
    """When to see whether it changed."""

    def heard(self, estimate: int, link: LinkState) -> bool:
        """The plane tells of the link; whether a decision could follow from it."""
        self.round_trip = link.round_trip_seconds
        self.link = replace(
            self.link,
            estimate=estimate,
            phase=link.phase,
            queue_delay_seconds=link.queue_delay_seconds,
            inherent_loss=link.inherent_loss,
            congestion_loss=link.congestion_loss,
            volatility=link.volatility,
            round_trip_seconds=link.round_trip_seconds,
        )
        return not (self._is_comfortable() or self._is_as_decided())

    def takes(self, spent: float) -> bool:
        """What they are sent takes so much now; whether a decision could follow from it."""
        self.spent = spent
        silent = self.link.phase == self.decided_by.phase == "silent"
        return not (silent or self._is_comfortable())

    def decide(self, demands: Sequence[Demand], link: Link, now: float) -> Decision:
        """Chooses anew; ``link`` is the plane's word with what was measured beside it."""
        self.link = self.decided_by = link
        self.demands = demands
        if self.began is None and link.estimate is not None:
            self.began = now
        decision = self.decision = decide(now, link, demands, self.state)
        self.state = decision.state
        self.spent = sum(choice.rate for choice in decision.choices.values())
        self.unhindered = standing(decision.step, decision.choices.values(), server_busy=False) == Standing()
        self.due = NEVER if self._is_comfortable() else decision.ask_again_at
        self.look_at = now
        return decision

    def rests(self, now: float) -> bool:
        """They have all they want, that is what was last said, and it is not time to look at their figures.

        While their publishers' uploads are whole there is nothing to say of them.
        """
        return now < self.look_at and self.unhindered and self.announced is _ALL_IS_WELL

    def looked(self, now: float, *, is_told: bool) -> None:
        """Their quality was compared with what they were told; of who cannot be told it need not be again."""
        rest = LOOK_SECONDS if is_told else NEVER
        self.look_at = now + (rest if self.due == NEVER else 0.0)

    def stands(self, now: float, *, server_busy: bool, upload_broken: bool) -> tuple[Standing, bool]:
        """What is said of them from now on, and whether that is new."""
        if self.decision is None:
            return self.announced.standing, False
        true = standing(
            self.decision.step,
            self.decision.choices.values(),
            server_busy=server_busy,
            upload_broken=upload_broken,
        )
        before = self.announced
        said = announce(now, self.began if self.began is not None else now, before, true)
        self.announced = _ALL_IS_WELL if said == _ALL_IS_WELL else said
        return self.announced.standing, self.announced.standing != before.standing

    def _is_comfortable(self) -> bool:
        """Everything is sent as well as it is wanted, and the link has room to spare."""
        decision, link = self.decision, self.link
        if decision is None or link.estimate is None or decision.step != Step.FULL:
            return False
        if link.phase not in ("start", "steady") or not is_calm(link):
            return False
        if any(_waits(demand, decision) for demand in self.demands):
            return False
        return link.estimate * (1.0 - min(link.inherent_loss, 0.5)) >= COMFORT * self.spent

    def _is_as_decided(self) -> bool:
        """Nothing to speak of happened since the last decision, which may only wait for time to pass."""
        now, then = self.link, self.decided_by
        if self.decision is None or now.estimate is None or then.estimate is None:
            return False
        same_state = (now.phase, is_calm(now)) == (then.phase, is_calm(then))
        return same_state and abs(now.estimate - then.estimate) <= ESTIMATE_CHANGED * then.estimate


def _waits(demand: Demand, decision: Decision) -> bool:
    """Whether more would be sent if the link carried more, or if its publisher sent what it left out."""
    choice = decision.choices.get(demand.key)
    if choice is None:
        return True
    if choice.reason in (Reason.SETTLING, Reason.MEASURING, Reason.PRIORITY, Reason.LINK, Reason.SILENT):
        return True
    top = len(demand.encodings) - 1
    wanted = top if demand.cap is None else min(demand.cap, top)
    return not demand.hidden and any(one.dormant for one in demand.encodings[choice.wanted or 0 : wanted + 1])
