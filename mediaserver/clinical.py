"""What a room is used for: the order in which operators look at rooms in trouble."""

from __future__ import annotations

from enum import StrEnum


class ClinicalClass(StrEnum):
    """The most urgent first, as operators list them."""

    SURGERY = "surgery"
    EMERGENCY = "emergency"
    CONSULT = "consult"
    TEACHING = "teaching"
    TEST = "test"

    @property
    def urgency(self) -> int:
        """0 for the least urgent."""
        return len(ClinicalClass) - 1 - list(ClinicalClass).index(self)

    @property
    def vital(self) -> bool:
        """Somebody may be under the knife: nothing here is interrupted without a reason."""
        return self in (ClinicalClass.SURGERY, ClinicalClass.EMERGENCY)


USUAL = ClinicalClass.CONSULT
"""Of a room that nobody's token says anything of."""


def most_urgent(known: ClinicalClass | None, named: ClinicalClass | None) -> ClinicalClass | None:
    """Of two that may be unnamed. A room is never taken for less than what one of its tokens said."""
    if known is None or named is None:
        return known or named
    return max(known, named, key=lambda one: one.urgency)
