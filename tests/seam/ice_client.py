"""A full ICE agent's checks by aioice, another implementation than ours, on a real UDP socket."""

import select
import socket
import time
from dataclasses import dataclass, field

from aioice import stun

from mediaserver._dataplane import DataPlane, Event, LocalIce, TransportReady

REMOTE_UFRAG = "peer"


def nominating_check(username: str, pwd: str) -> stun.Message:
    """A controlling agent's check that nominates its pair (RFC 8445 section 7.2.2)."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = username
    request.attributes["PRIORITY"] = 1_853_824_767
    request.attributes["ICE-CONTROLLING"] = 1
    request.attributes["USE-CANDIDATE"] = None
    request.add_message_integrity(pwd.encode())
    return request


@dataclass
class IceClient:
    """One peer with its own port; ``server`` is where its checks go."""

    local: LocalIce
    family: socket.AddressFamily = socket.AF_INET
    udp: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.udp = socket.socket(self.family, socket.SOCK_DGRAM)
        self.udp.bind(("::1" if self.family == socket.AF_INET6 else "127.0.0.1", 0))
        self.udp.settimeout(5)

    @property
    def server(self) -> tuple[str, int]:
        wanted = self.family == socket.AF_INET6
        return next(candidate for candidate in self.local.candidates if (":" in candidate[0]) == wanted)

    def check(self, pwd: str | None = None, ufrag: str | None = None) -> stun.Message:
        """Sends a nominating check, by default an authentic one, and gives it."""
        request = nominating_check(f"{ufrag or self.local.ufrag}:{REMOTE_UFRAG}", pwd or self.local.pwd)
        self.udp.sendto(bytes(request), self.server)
        return request

    def answer(self) -> stun.Message:
        """The next datagram, which must be an answer with our password's integrity."""
        answer = self.any_answer()
        assert answer.check_message_integrity(self.local.pwd.encode())
        return answer

    def any_answer(self) -> stun.Message:
        """The next datagram, which must be STUN."""
        return stun.parse_message(self.udp.recv(2048))

    def send(self, datagram: bytes) -> None:
        self.udp.sendto(datagram, self.server)

    def close(self) -> None:
        self.udp.close()


def wait_events(plane: DataPlane, count: int, seconds: float = 5) -> list[Event]:
    """At least ``count`` events, by the descriptor that asyncio would watch."""
    events: list[Event] = []
    end = time.monotonic() + seconds
    while len(events) < count:
        remaining = end - time.monotonic()
        assert remaining > 0, f"only {events} came"
        if select.select([plane.fileno()], [], [], remaining)[0]:
            events += plane.events()
    return events


def expect_ready(plane: DataPlane, transport: int) -> None:
    """Nothing but this one transport's readiness."""
    [event] = wait_events(plane, 1)
    assert isinstance(event, TransportReady), event
    assert event.transport == transport
