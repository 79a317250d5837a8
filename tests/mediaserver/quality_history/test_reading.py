"""A second's samples of a real server: what the plane knows beside what the browser said."""

from __future__ import annotations

import time
from dataclasses import replace

from mediaserver.layers import Choice, Decision, Option, Reason, State, Step, Still
from mediaserver.policy import Role
from mediaserver.quality_history.claims import Claim, LinkClaim, SourceClaim, ViewClaim
from mediaserver.quality_history.delay import arrivals
from mediaserver.quality_history.figures import difference
from mediaserver.quality_history.reading import sample, watched
from mediaserver.session import Session
from tests.mediaserver.peers import answer_to, connected, identity, make_server, publish
from tests.mediaserver.seconds import AT_MS
from tests.running import until


def stills_of(session: Session, publication: str) -> Decision:
    """As decided on a link that carries no more of it than a still now and then."""
    [handle] = [handle for known, handle in watched(session) if known.id == publication]
    still = Choice(Still(Option(0), 2.0), Reason.LINK, 50_000.0, 50_000.0, None)
    return Decision({handle: still}, 0, 0.0, Step.STILLS, State())


async def test_a_publisher_and_a_viewer_with_their_claims() -> None:
    server = make_server()
    await server.start()
    surgeon, observer = server.join(identity(Role.SURGEON), ""), server.join(identity(Role.OBSERVER), "")
    named = await publish(server, surgeon)
    server.subscribe(observer, list(server.rooms[surgeon.room].publications))
    offer = next(item.event for item in observer.outbox._events if type(item.event).__name__ == "Offer")
    await server.answer(observer, offer.generation, answer_to(offer.sdp))  # type: ignore[union-attr]
    connected(server)
    now, told = time.monotonic(), server.registry.statistics_told
    scope, stranger = named["1"], "nobody's"
    surgeon.statistics.take(
        Claim(
            clock_ms=AT_MS + 2000,
            publish=LinkClaim(round_trip_ms=40, relayed=True),
            sources=(SourceClaim(publication=scope, width=1280), SourceClaim(publication=stranger, width=1)),
        ),
        now, AT_MS, told,
    )  # fmt: skip
    observer.statistics.take(
        Claim(clock_ms=AT_MS, views=(ViewClaim(publication=scope, frames_per_second=24.0, freezes=1),)),
        now, AT_MS, told,
    )  # fmt: skip
    receiving = server.registry.sessions[observer.id].subscribing
    assert receiving is not None
    viewers = receiving.transport.handle
    await until(lambda: viewers in server.registry.plane.stats().transports, what="the plane's figures")
    found = difference(server.registry.plane.stats(), 1.0, None)
    sessions = server.registry.sessions
    sent = sample(
        sessions[surgeon.id], found, AT_MS, now, pictures={scope: "black"}, arrived={}, decided=None
    )
    decided = stills_of(sessions[observer.id], scope)
    seen = sample(
        sessions[observer.id], found, AT_MS, now, pictures={}, arrived=arrivals([sent]), decided=decided
    )
    unheard = replace(found, legs={viewers: ("silent", None, None, None, 0.02, None, 0)})
    silent = sample(sessions[observer.id], unheard, AT_MS, now, pictures={}, arrived={}, decided=None)
    late = sample(sessions[observer.id], found, AT_MS, now + 60, pictures={}, arrived={}, decided=None)
    await server.stop()
    assert (sent.clock_skew_seconds, sent.claims_age_seconds) == (2.0, 0.0)
    assert sent.up is not None
    assert (sent.up.round_trip_seconds, sent.up.relayed, sent.down) == (0.04, True, None)
    assert [(one.kind, one.width, one.picture) for one in sent.sources] == [
        ("audio", None, None),
        ("video", 1280, "black"),
    ]
    assert {one.publication for one in sent.sources} == set(named.values())
    by_id = {one.publication: one for one in seen.views}
    assert set(by_id) == set(named.values())
    assert (by_id[scope].frames_per_second, by_id[scope].freezes) == (24.0, 1)
    assert (seen.step, by_id[scope].still_seconds, by_id[scope].reason) == ("stills", 2.0, Reason.LINK)
    assert (late.step, late.views[0].still_seconds, sent.step) == (None, None, None)
    assert seen.down is not None
    assert silent.down is not None
    heard = found.transports.get(viewers)
    assert heard is not None
    assert (heard.get("bandwidth_phase"), seen.down.silent, silent.down.silent) == (
        "start",
        False,
        True,
    )
    assert silent.down.jitter_seconds == 0.02
    # What was said a minute ago is not said of now, and a freeze is told once.
    assert {one.publication: (one.frames_per_second, one.freezes) for one in late.views}[scope] == (None, 0)
