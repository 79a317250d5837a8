"""What somebody studies or copies a recording for: asked each time, audited, and bounded by what its patient
decided.

Care of the patient and the house's own look at quality go with the consent to recording. Teaching needs one
of its own. Specialists elsewhere see nothing of a patient who declined a link to them, live or later. Either
can be taken back after the procedure, too: then the views that it covered end, and copies made for teaching
that the server still keeps are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mediaserver.audience import TeachingNotConsented, TreatmentLinkDeclined
from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ProcedureId
from mediaserver.policy import Role
from mediaserver.store.consents import Consents, Purpose, Revoked

_BOUNDING: Final = frozenset({Purpose.TEACHING, Purpose.TREATMENT_LINK})


class Use(StrEnum):
    """What for."""

    CARE = "care"
    QUALITY = "quality"
    TEACHING = "teaching"


def stated(asked: Use, clinical: ClinicalClass | None) -> Use:
    """Whoever came to be taught is taught, whatever they say."""
    return Use.TEACHING if clinical is ClinicalClass.TEACHING else asked


def covered(purpose: Purpose, use: Use, role: Role) -> bool:
    """Whether studying for this use, in this role, hangs on what was decided about the purpose."""
    if purpose is Purpose.TEACHING:
        return use is Use.TEACHING
    return purpose is Purpose.TREATMENT_LINK and role is Role.SPECIALIST


@dataclass(slots=True)
class PatientsWill:
    """What of a recording may be studied, by its patient's decisions."""

    consents: Consents
    _heard: int = 0
    """Withdrawals."""

    async def check(self, role: Role, use: Use, procedure: ProcedureId) -> None:
        """Nothing is waited for after the answer: what is begun then is found by a withdrawal.

        Raises ``TeachingNotConsented``, ``TreatmentLinkDeclined``, ``DatabaseFailed``.
        """
        while True:
            heard = self._heard
            if covered(Purpose.TEACHING, use, role) and not await self.consents.stands(
                procedure, Purpose.TEACHING
            ):
                raise TeachingNotConsented
            if covered(Purpose.TREATMENT_LINK, use, role) and await self.consents.declined(
                procedure, Purpose.TREATMENT_LINK
            ):
                raise TreatmentLinkDeclined
            if heard == self._heard:
                return

    def withdrawn(self, revoked: Revoked) -> bool:
        """Whether this ends views of its procedure; the end of the procedure itself does not."""
        ends = revoked.purpose in _BOUNDING and not revoked.closed
        self._heard += ends
        return ends
