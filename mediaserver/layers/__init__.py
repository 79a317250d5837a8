"""Layer choice: what each viewer is sent, decided by pure functions (``docs/layers.md``).

``decide`` takes one participant's link, what they subscribe to and what it offers, and what was decided
before; it returns what is sent of each subscription and why, up to which rate more would be useful, and when
it must be asked again. ``fit`` turns what all viewers of a publication got into what its publisher should
send. Nothing here knows a task, a clock or a socket: times are seconds of one monotonic clock, rates are bits
per second on the wire.
"""

from mediaserver.layers.choice import Decision, State, decide
from mediaserver.layers.choosing import choose
from mediaserver.layers.fitting import Fitted, Viewing, fit
from mediaserver.layers.terms import (
    Choice,
    Demand,
    Encoding,
    Forward,
    Link,
    Option,
    Pause,
    Phase,
    Reason,
    Sending,
    Step,
    Still,
)

__all__ = [
    "Choice",
    "Decision",
    "Demand",
    "Encoding",
    "Fitted",
    "Forward",
    "Link",
    "Option",
    "Pause",
    "Phase",
    "Reason",
    "Sending",
    "State",
    "Step",
    "Still",
    "Viewing",
    "choose",
    "decide",
    "fit",
]
