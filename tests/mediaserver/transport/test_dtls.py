"""The DTLS adapter end to end: two of ours over a link in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from aiortc import RTCSctpTransport
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from mediaserver.errors import TransportFailed
from mediaserver.negotiation.media import Fingerprint
from mediaserver.transport.certificate import Certificate
from mediaserver.transport.dtls import (
    MAX_HANDSHAKE_DATAGRAMS,
    MAX_WAITING,
    DatagramPipe,
    DtlsCounters,
    pack_records,
)
from tests.mediaserver.link import End, Pair, certificate, pair


async def connect(link: Pair) -> None:
    await asyncio.gather(
        link.client.connect((link.server_certificate.fingerprint,)),
        link.server.connect((link.client_certificate.fingerprint,)),
    )


async def test_a_handshake_gives_both_ends_the_same_keys_crosswise() -> None:
    link = pair()
    await connect(link)
    assert link.client_end.keys is not None
    assert link.server_end.keys is not None
    profile, inbound, outbound = link.server_end.keys
    assert profile == "SRTP_AEAD_AES_128_GCM"
    assert (profile, outbound, inbound) == link.client_end.keys
    assert (len(inbound), len(outbound)) == (28, 28)
    assert inbound != outbound


async def test_a_lost_flight_is_sent_again() -> None:
    link = pair()
    link.server_end.lose = lambda number: number == 1
    await connect(link)
    assert link.server_end.keys is not None


async def test_close_reaches_the_peer() -> None:
    link = pair()
    await connect(link)
    link.client.close_now()
    await asyncio.wait_for(link.server.ended(), 5)
    assert link.server.state == "closed"
    assert link.client.state == "closed"


@pytest.mark.parametrize("wrong_end", ["client", "server"])
async def test_a_wrong_fingerprint_fails_in_both_roles(wrong_end: str) -> None:
    link = pair()
    stranger = certificate().fingerprint
    towards_server = stranger if wrong_end == "client" else link.server_certificate.fingerprint
    towards_client = stranger if wrong_end == "server" else link.client_certificate.fingerprint
    results = await asyncio.gather(
        link.client.connect((towards_server,)), link.server.connect((towards_client,)), return_exceptions=True
    )
    suspicious = results[0] if wrong_end == "client" else results[1]
    assert isinstance(suspicious, TransportFailed)
    assert (link.client_end if wrong_end == "client" else link.server_end).keys is None


async def test_a_weak_fingerprint_alone_fails() -> None:
    link = pair()
    weak = Fingerprint("sha-1", ":".join(["00"] * 20))
    results = await asyncio.gather(
        link.client.connect((weak,)),
        link.server.connect((link.client_certificate.fingerprint,)),
        return_exceptions=True,
    )
    assert isinstance(results[0], TransportFailed)
    assert link.client_end.keys is None


DTLS_1_0 = 0xFEFF


class Downgraded(Certificate):
    """One whose owner speaks only what is too weak."""

    def __init__(self, weaken: Callable[[SSL.Context], None]) -> None:
        super().__init__(ec.generate_private_key(ec.SECP256R1()), made_at=0.0)
        self._weaken = weaken

    def _build(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._build(srtp_profiles)
        self._weaken(context)
        return context


def only_dtls_1_0(context: SSL.Context) -> None:
    context.set_min_proto_version(DTLS_1_0)
    context.set_max_proto_version(DTLS_1_0)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")


def no_encryption(context: SSL.Context) -> None:
    context.set_cipher_list(b"ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0")


def a_profile_that_is_none_of_ours(context: SSL.Context) -> None:
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_32")


@pytest.mark.parametrize("weaken", [only_dtls_1_0, no_encryption, a_profile_that_is_none_of_ours])
async def test_nothing_weaker_is_agreed_to(weaken: Callable[[SSL.Context], None]) -> None:
    link = pair(client_certificate=Downgraded(weaken))
    results = await asyncio.gather(
        link.client.connect((link.server_certificate.fingerprint,), timeout_seconds=2),
        link.server.connect((link.client_certificate.fingerprint,), timeout_seconds=2),
        return_exceptions=True,
    )
    assert isinstance(results[1], TransportFailed)
    assert link.server_end.keys is None


async def test_data_in_plain_text_is_not_delivered() -> None:
    """Epoch 0 is what precedes encryption: application data in it (content type 23) is nobody's."""
    link, delivered = pair(), []

    class Receiver:
        async def _handle_data(self, data: bytes) -> None:
            delivered.append(data)

    link.server._register_data_receiver(cast(RTCSctpTransport, Receiver()))
    await connect(link)
    for number in range(3):
        link.server.receive(bytes([23, 254, 253]) + number.to_bytes(8, "big") + b"\x00\x06forged")
    await link.client._send_data(b"sound")
    async with asyncio.timeout(5):
        while b"sound" not in delivered:  # noqa: ASYNC110 - aiortc has no event for it
            await asyncio.sleep(0.01)
    assert delivered == [b"sound"]


async def test_data_before_a_handshake_is_not_delivered_either() -> None:
    link = pair()
    link.server.receive(bytes([23, 254, 253]) + bytes(8) + b"\x00\x06forged")
    results = await asyncio.gather(
        link.client.connect((link.server_certificate.fingerprint,), timeout_seconds=1),
        link.server.connect((link.client_certificate.fingerprint,), timeout_seconds=1),
        return_exceptions=True,
    )
    # Its sender has proven that it is the peer itself: it harms itself alone.
    assert isinstance(results[1], TransportFailed)
    assert link.server_end.keys is None


async def test_a_silent_peer_is_given_up_in_time() -> None:
    link = pair()
    link.client_end.deliver = None
    with pytest.raises(TransportFailed):
        await link.client.connect((link.server_certificate.fingerprint,), timeout_seconds=0.05)
    assert link.counters.handshake_timeout == 1
    assert link.client.state == "closed"


async def test_fragments_without_end_are_stopped() -> None:
    link = pair()
    # A handshake record with a fragment of no bytes of a message of 16 MB, over and over.
    body = bytes([1]) + (2**24 - 1).to_bytes(3, "big") + bytes(2) + bytes(3) + bytes(3)
    record = bytes([22, 254, 253]) + bytes(8) + len(body).to_bytes(2, "big") + body
    task = asyncio.create_task(link.server.connect((link.client_certificate.fingerprint,)))
    for _ in range(2 * MAX_HANDSHAKE_DATAGRAMS):
        link.server.receive(record)
        await asyncio.sleep(0)
    with pytest.raises(TransportFailed):
        await asyncio.wait_for(task, 5)
    assert link.counters.handshake_failed == 1
    assert link.server_end.keys is None


async def test_garbage_before_and_during_a_handshake_changes_nothing() -> None:
    link = pair()
    for datagram in (
        b"",
        b"\x80" * 20,
        b"\x16",
        b"\x16" + b"\xff" * 1199,
        b"\x15\xfe\xfd" + bytes(10),
        bytes(5000),
    ):
        link.server.receive(datagram)
    await connect(link)
    assert link.server_end.keys is not None
    assert link.counters.not_dtls == 1
    assert link.counters.oversized == 1


async def test_the_queue_holds_a_bounded_number() -> None:
    counters = DtlsCounters()
    pipe = DatagramPipe(End(), counters)
    for _ in range(MAX_WAITING + 5):
        pipe.feed(b"\x16abc")
    assert counters.queue_full == 5
    pipe.close()
    with pytest.raises(ConnectionError):
        await pipe._recv()


async def test_ended_certificates_share_one_context_and_last_a_day() -> None:
    one = certificate()
    first, second = pair(server_certificate=one), pair(server_certificate=one)
    await connect(first)
    await connect(second)
    assert isinstance(one, Certificate)
    assert one._context is not None
    assert first.server_end.keys != second.server_end.keys


def record(length: int) -> bytes:
    return bytes([22, 254, 253]) + bytes(8) + length.to_bytes(2, "big") + bytes(length)


def test_records_are_packed_whole() -> None:
    run = record(700) + record(400) + record(500) + record(1500)
    datagrams = pack_records(run)
    assert b"".join(datagrams) == run
    assert datagrams == [record(700) + record(400), record(500), record(1500)]
    assert pack_records(b"") == []
