"""What somebody studies or copies a recording for: asked each time, audited, and bounded by consent.

Care of the patient and the house's own look at quality go with the consent to recording. Teaching needs one
of its own, which can be taken back after the procedure, too: then views for teaching end, and copies made for
it that the server still keeps are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mediaserver.audience import TeachingNotConsented
from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ProcedureId
from mediaserver.store.consents import Consents, Purpose, Revoked


class Use(StrEnum):
    """What for."""

    CARE = "care"
    QUALITY = "quality"
    TEACHING = "teaching"


def stated(asked: Use, clinical: ClinicalClass | None) -> Use:
    """Whoever came to be taught is taught, whatever they say."""
    return Use.TEACHING if clinical is ClinicalClass.TEACHING else asked


@dataclass(slots=True)
class Teaching:
    """Whether recordings may be taught with."""

    consents: Consents
    _heard: int = 0
    """Withdrawals."""

    async def check(self, use: Use, procedure: ProcedureId) -> None:
        """Nothing is waited for after the answer: what is begun then is found by a withdrawal.

        Raises ``TeachingNotConsented``, ``DatabaseFailed``.
        """
        if use is not Use.TEACHING:
            return
        while True:
            heard = self._heard
            if not await self.consents.stands(procedure, Purpose.TEACHING):
                raise TeachingNotConsented
            if heard == self._heard:
                return

    def withdrawn(self, revoked: Revoked) -> bool:
        """Whether this ends the teaching of its procedure; the end of the procedure itself does not."""
        ends = revoked.purpose is Purpose.TEACHING and not revoked.closed
        self._heard += ends
        return ends
