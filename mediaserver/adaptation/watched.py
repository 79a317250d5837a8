"""The layers that a WHEP viewer may choose from, and their choice (draft-ietf-wish-whep, layer selection)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mediaserver.adaptation.turn import Adaptation
from mediaserver.errors import UnknownLayer, UnknownParticipant
from mediaserver.session import HttpSession, Registry, Session, Slot, Wish


@dataclass(frozen=True, slots=True)
class WatchedLayer:
    """One encoding of a picture that a viewer watches."""

    index: int
    """0 is the lowest."""
    bitrate: int
    """Bits per second; 0: it does not flow now."""


class WatchedLayers:
    """Sections are counted from 0 in the order of the viewer's offer."""

    def __init__(self, registry: Registry, adaptation: Adaptation) -> None:
        self._registry = registry
        self._adaptation = adaptation

    def of(self, http: HttpSession) -> Mapping[int, tuple[WatchedLayer, ...]]:
        """The encodings of each picture that flows to this viewer, lowest first.

        Raises ``UnknownParticipant``: the session is over.
        """
        session = self._session(http)
        found = {}
        for section, slot in self._pictures(http, session):
            publication = session.room.publications.get(slot.publication) if slot.publication else None
            if publication is not None:
                rates = self._adaptation.rates(publication)
                found[section] = tuple(WatchedLayer(index, rate) for index, rate in enumerate(rates))
        return found

    def choose(self, http: HttpSession, section: int | None, layer: int | None) -> None:
        """No encoding above this one shall be sent; ``None``: layer choice is free again.

        ``section`` ``None`` is the first picture. Raises ``UnknownLayer``, ``UnknownParticipant``.
        """
        session = self._session(http)
        pictures = dict(self._pictures(http, session))
        chosen = min(pictures, default=None) if section is None else section
        if chosen is None or chosen not in pictures:
            raise UnknownLayer("no such picture in this session", field="$.mediaId")
        if layer is not None and layer not in (one.index for one in self.of(http).get(chosen, ())):
            raise UnknownLayer("no such layer now", field="$.rid")
        pictures[chosen].wish = Wish(layer=layer)
        self._registry.unsettled.add(session)

    def _session(self, http: HttpSession) -> Session:
        session = self._registry.sessions.get(http.participant.id)
        if session is None:
            raise UnknownParticipant("no such session")
        return session

    @staticmethod
    def _pictures(http: HttpSession, session: Session) -> Iterator[tuple[int, Slot]]:
        if session.watching is None:
            return
        places = {mid: place for place, (mid, _) in enumerate(http.sections)}
        for slot in session.watching.slots:
            if slot.kind == "video":
                yield places[slot.outbound.mid], slot
