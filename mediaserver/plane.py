"""The data plane as asyncio sees it: numbers handles, places rooms on workers, waits for events.

Dispatches nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from mediaserver import _dataplane
from mediaserver._dataplane import DataPlane, Event, LocalIce, SrtpProfileName, Stats, TapReaderName
from mediaserver.addresses import media_addresses
from mediaserver.config import Media
from mediaserver.errors import InvalidSettings, WorkerGone
from mediaserver.negotiation.media import ExtensionIds, InboundMedia, OutboundMedia

NATIVE_VERSION = _dataplane.__version__
"""Of the compiled data plane."""


class Plane:
    """One process's media workers. Commands never block; ``events`` waits for what they lead to."""

    def __init__(self, dataplane: DataPlane, workers: int) -> None:
        self._dataplane = dataplane
        self._next_handle = 0
        self._load = dict.fromkeys(range(workers), 0)
        self._open: set[int] = set()
        self._readable = asyncio.Event()
        self._watching: asyncio.AbstractEventLoop | None = None

    @property
    def workers(self) -> int:
        """Workers that live."""
        return len(self._load)

    @property
    def open_handles(self) -> int:
        """Handles that were given out and not closed; 0 when nothing is left behind."""
        return len(self._open)

    # ---- Events ----

    def watch(self) -> None:
        """Starts waiting for events on the running loop."""
        self._watching = asyncio.get_running_loop()
        self._watching.add_reader(self._dataplane.fileno(), self._readable.set)

    async def events(self) -> list[Event]:
        """All events that wait, oldest first; waits for the first."""
        while True:
            taken = self._dataplane.events()
            if taken:
                return taken
            self._readable.clear()
            # An event may have come between taking and clearing.
            taken = self._dataplane.events()
            if taken:
                return taken
            await self._readable.wait()

    def stop(self) -> None:
        """Ends all workers. Idempotent."""
        if self._watching is not None:
            self._watching.remove_reader(self._dataplane.fileno())
            self._watching = None
        self._dataplane.stop()
        self._open.clear()

    # ---- Workers ----

    def place(self) -> int:
        """The worker with the fewest rooms, counted as one more. Raises ``WorkerGone`` when none lives."""
        if not self._load:
            raise WorkerGone("no media worker is left")
        worker = min(self._load, key=lambda index: (self._load[index], index))
        self._load[worker] += 1
        return worker

    def release(self, worker: int) -> None:
        """A room left this worker."""
        if worker in self._load:
            self._load[worker] -= 1

    def lost(self, worker: int) -> None:
        """The worker failed: no room is placed there again."""
        self._load.pop(worker, None)

    # ---- Commands ----

    def _handle(self) -> int:
        self._next_handle += 1
        self._open.add(self._next_handle)
        return self._next_handle

    def open_transport(self, worker: int, remote_ufrag: str | None = None) -> tuple[int, LocalIce]:
        """A new transport and its credentials."""
        handle = self._handle()
        try:
            return handle, self._dataplane.open_transport(handle, worker, remote_ufrag)
        except IndexError:
            self._open.discard(handle)
            raise WorkerGone from None

    def restart_ice(self, transport: int, remote_ufrag: str | None = None) -> LocalIce:
        """New credentials for a living transport. Raises ``WorkerGone`` if the plane has lost it."""
        try:
            return self._dataplane.restart_ice(transport, remote_ufrag)
        except KeyError:
            raise WorkerGone("the plane has ended this transport") from None

    def set_remote_ufrag(self, transport: int, ufrag: str) -> None:
        """The peer's fragment, once known."""
        self._dataplane.set_remote_ufrag(transport, ufrag)

    def send_dtls(self, transport: int, datagram: bytes) -> None:
        """To the nominated address."""
        self._dataplane.send_dtls(transport, datagram)

    def set_srtp(self, transport: int, profile: str, inbound: bytes, outbound: bytes) -> None:
        """Keys of a finished handshake."""
        self._dataplane.set_srtp(transport, cast(SrtpProfileName, profile), inbound, outbound)

    def publish(self, transport: int, media: InboundMedia) -> int:
        """A new publication's handle."""
        described = _inbound(media)
        handle = self._handle()
        self._dataplane.publish(transport, handle, described)
        return handle

    def subscribe(self, publication: int, transport: int, media: OutboundMedia) -> int:
        """A new subscription's handle."""
        described = _outbound(media)
        handle = self._handle()
        self._dataplane.subscribe(publication, handle, transport, described)
        return handle

    def prefer(
        self,
        subscription: int,
        *,
        layer: int | None = None,
        spatial: int | None = None,
        temporal: int | None = None,
        paused: bool = False,
        still_seconds: float | None = None,
    ) -> None:
        """Up to which layers a subscription is forwarded; ``None`` takes the highest.

        ``still_seconds``: as stills, so far apart.
        """
        self._dataplane.prefer(
            subscription,
            layer=layer,
            spatial=spatial,
            temporal=temporal,
            paused=paused,
            still_seconds=still_seconds,
        )

    def want(self, transport: int, rate: int) -> None:
        """Up to which rate more would be useful to a viewer, in bits per second on the wire."""
        self._dataplane.want(transport, rate)

    def mute(self, publication: int, muted: bool) -> None:
        """Forwards nothing while muted."""
        self._dataplane.mute(publication, muted)

    def tap(self, publication: int, reader: TapReaderName, descriptor: int) -> None:
        """Copies what comes in of a publication to a socket, of which the plane takes a duplicate."""
        self._dataplane.tap(publication, reader, descriptor)

    def untap(self, publication: int, reader: TapReaderName) -> None:
        """Copies no longer. Idempotent."""
        self._dataplane.untap(publication, reader)

    def request_keyframe(self, publication: int) -> None:
        """Of a picture's layers."""
        self._dataplane.request_keyframe(publication)

    def close(self, handle: int) -> None:
        """Ends a transport, publication or subscription. Idempotent."""
        if handle in self._open:
            self._open.discard(handle)
            self._dataplane.close(handle)

    def stats(self) -> Stats:
        """One snapshot."""
        return self._dataplane.stats()


class BoundSink:
    """The plane bound to one transport, as its DTLS needs it."""

    __slots__ = ("_handle", "_plane")

    def __init__(self, plane: Plane, handle: int) -> None:
        self._plane = plane
        self._handle = handle

    def send_dtls(self, datagram: bytes) -> None:
        """Towards the peer."""
        self._plane.send_dtls(self._handle, datagram)

    def set_srtp(self, profile: str, inbound: bytes, outbound: bytes) -> None:
        """Keys of the finished handshake."""
        self._plane.set_srtp(self._handle, profile, inbound, outbound)


def open_plane(settings: Media) -> Plane:
    """Starts the workers. Raises ``InvalidSettings`` with one line when a port is taken or an address is
    none of ours."""
    addresses = media_addresses(settings)
    workers = settings.workers or os.cpu_count() or 1
    announced = list(settings.announced) or None
    try:
        dataplane = DataPlane(addresses, settings.port, workers, announced)
    except OSError as error:
        reason = error.strerror or error
        raise InvalidSettings(f"media.port: {reason}; choose another media.port or media.addresses") from None
    except ValueError as error:
        raise InvalidSettings(f"media.addresses: {error}") from None
    return Plane(dataplane, workers)


def _extensions(ids: ExtensionIds) -> _dataplane.Extensions:
    return _dataplane.Extensions(**asdict(ids))


def _encodings(media: InboundMedia) -> Sequence[_dataplane.Encoding]:
    return [_dataplane.Encoding(ssrc=e.ssrc, rtx_ssrc=e.rtx_ssrc, rid=e.rid) for e in media.encodings]


def _inbound(media: InboundMedia) -> _dataplane.InboundMedia:
    return _dataplane.InboundMedia(
        kind=media.kind,
        codec=media.codec.name,
        clock_rate=media.codec.clock_rate,
        payload_type=media.codec.payload_type,
        encodings=_encodings(media),
        rtx_payload_type=media.rtx_payload_type,
        mid=media.mid,
        extensions=_extensions(media.extensions),
        nack=media.nack,
        pli=media.pli,
        fir=media.fir,
        transport_cc=media.transport_cc,
        remb=media.remb,
        reduced_size=media.reduced_size,
    )


def _outbound(media: OutboundMedia) -> _dataplane.OutboundMedia:
    return _dataplane.OutboundMedia(
        ssrc=media.ssrc,
        payload_type=media.payload_type,
        cname=media.cname,
        rtx_ssrc=media.rtx_ssrc,
        rtx_payload_type=media.rtx_payload_type,
        red_payload_type=media.red_payload_type,
        parity_ssrc=media.parity_ssrc,
        parity_payload_type=media.parity_payload_type,
        mid=media.mid,
        extensions=_extensions(media.extensions),
    )
