"""From a socket to an event: authenticated checks, and what strangers' datagrams do not do."""

import os
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest
from aioice import stun

from mediaserver._dataplane import DataPlane, DtlsDatagram, TransportReady
from tests.seam.ice_client import REMOTE_UFRAG, IceClient, expect_ready, wait_events

DTLS = bytes([22, 254, 253]) + bytes(60)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_an_authentic_check_is_answered_and_told(plane: DataPlane, family: socket.AddressFamily) -> None:
    client = IceClient(plane.open_transport(1, 1, REMOTE_UFRAG), family)
    request = client.check()
    answer = client.answer()
    assert answer.message_class == stun.Class.RESPONSE
    assert answer.transaction_id == request.transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == client.udp.getsockname()[:2]
    expect_ready(plane, 1)
    client.close()


def test_dtls_passes_both_ways_once_the_address_is_validated(plane: DataPlane) -> None:
    client = IceClient(plane.open_transport(1, 0))
    client.send(DTLS)  # from a stranger: no effect
    client.check()
    client.answer()
    client.send(DTLS)
    match wait_events(plane, 2):
        case [TransportReady(transport=1), DtlsDatagram(transport, payload) as event]:
            assert (transport, payload) == (1, DTLS)
            assert repr(event) == f"DtlsDatagram(transport=1, payload=<{len(DTLS)} bytes>)"
        case other:
            pytest.fail(f"{other}")
    plane.send_dtls(1, DTLS[::-1])
    assert client.udp.recv(2048) == DTLS[::-1]
    client.close()


def test_a_forged_check_has_no_effect(plane: DataPlane) -> None:
    client = IceClient(plane.open_transport(1, 0))
    client.check(pwd="x" * 24)
    client.check(ufrag="nobody00")
    request = client.check()
    expect_ready(plane, 1)
    while (answer := client.any_answer()).transaction_id != request.transaction_id:
        assert answer.message_class == stun.Class.ERROR
    client.close()


def test_what_is_dropped_is_counted_by_reason(plane: DataPlane) -> None:
    client = IceClient(plane.open_transport(1, 0))
    client.send(b"")
    client.send(DTLS)
    client.send(struct.pack("!BBH", 0x80, 96, 1) + bytes(40))
    client.check(pwd="x" * 24)
    wanted = {"short": 1, "unvalidated_source": 2, "stun_integrity": 1}
    end = time.monotonic() + 5
    while True:  # snapshots are up to a second old
        drops = plane.stats().workers[0]["drops"]
        assert isinstance(drops, dict)
        if {name: drops[name] for name in wanted} == wanted:
            break
        assert time.monotonic() < end, drops
    client.close()


def test_after_closing_checks_have_no_effect(plane: DataPlane) -> None:
    client = IceClient(plane.open_transport(1, 0))
    client.check()
    client.answer()
    plane.close(1)
    other = IceClient(plane.open_transport(2, 0))
    client.check()
    other.check()
    other.answer()
    client.udp.settimeout(0)
    with pytest.raises(BlockingIOError):
        client.udp.recv(2048)
    client.close()
    other.close()


def test_events_compare_match_and_stay_as_they_are(plane: DataPlane) -> None:
    client = IceClient(plane.open_transport(1, 0))
    client.check()
    [event] = wait_events(plane, 1)
    again = IceClient(plane.open_transport(2, 0))
    again.check()
    [other] = wait_events(plane, 1)
    client.udp.close()
    assert event != other
    assert len({event, other}) == 2
    assert repr(event) == "TransportReady(transport=1)"
    assert TransportReady.__match_args__ == ("transport",)
    with pytest.raises(AttributeError):
        event.transport = 3  # type: ignore[misc, union-attr]
    again.close()


def resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_restarts_without_end_leave_nothing_behind(plane: DataPlane) -> None:
    client = IceClient(plane.open_transport(1, 0))

    def caught_up() -> None:
        """The worker took the newest credentials, and with them all commands before."""
        client.udp.settimeout(0.1)
        while True:
            client.check()
            with suppress(TimeoutError):
                client.answer()
                return

    def restart(times: int) -> None:
        for number in range(times):
            client.local = plane.restart_ice(1)
            if number % 1_000 == 0:
                caught_up()

    restart(5_000)
    grown = []
    for _ in range(3):
        before = resident_bytes()
        restart(40_000)
        grown.append(resident_bytes() - before)
    # One fragment kept of each would be more than 100 bytes, each time; what else the process does varies.
    assert min(grown) < 40_000 * 40, grown
    client.close()
