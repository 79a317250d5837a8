"""`DataPlane` itself: construction, errors, events, figures, its end."""

import asyncio
import errno
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mediaserver import _dataplane
from mediaserver._dataplane import DataPlane, Encoding, Extensions, InboundMedia, OutboundMedia
from tests.running import until

KEYS = {
    "SRTP_AEAD_AES_128_GCM": 28,
    "SRTP_AEAD_AES_256_GCM": 44,
    "SRTP_AES128_CM_SHA1_80": 30,
}


def video(**changes: object) -> InboundMedia:
    arguments: dict[str, object] = {
        "kind": "video",
        "codec": "VP8",
        "clock_rate": 90_000,
        "payload_type": 96,
        "encodings": [Encoding(ssrc=1)],
    }
    return InboundMedia(**(arguments | changes))  # type: ignore[arg-type]


def viewed(**changes: object) -> OutboundMedia:
    arguments: dict[str, object] = {"ssrc": 7, "payload_type": 100, "cname": "c"}
    return OutboundMedia(**(arguments | changes))  # type: ignore[arg-type]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def media_threads() -> int:
    names = []
    for task in Path("/proc/self/task").iterdir():
        try:
            names.append((task / "comm").read_text())
        except OSError:  # ended meanwhile
            continue
    return sum(name.startswith("loupe-media-") for name in names)


def test_the_version_is_the_distributions() -> None:
    assert _dataplane.__version__.count(".") == 2


def test_a_taken_port_is_named_with_its_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use") as caught:
            DataPlane(["127.0.0.1"], port, 1)
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.strerror == f"cannot open UDP port {port} on 127.0.0.1: Address already in use"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((["localhost"], 0, 1), "addresses"),
        (([], 0, 1), "addresses"),
        ((["127.0.0.1"], 0, 0), "workers"),
        ((["127.0.0.1"], 65_535, 2), "port"),
        ((["127.0.0.1"], 0, 1, ["192.0.2.1", "192.0.2.2"]), "announced"),
        ((["127.0.0.1"], 0, 1, ["2001:db8::1"]), "announced"),
        ((["0.0.0.0"], 0, 1), "announced"),
    ],
)
def test_a_bad_configuration_is_named(arguments: tuple[list[str], int, int], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: "):
        DataPlane(*arguments)


async def test_figures_are_read_where_they_lie(plane: DataPlane) -> None:
    plane.open_transport(1, 0)
    await until(lambda: 1 in plane.stats().transports, what="the first snapshot")
    found = plane.stats().transports
    figures = found[1]
    assert [(handle, list(one)) for handle, one in found.items()] == [(1, list(figures))]
    assert (figures["packets_in"], figures.get("packets_in"), len(figures)) == (0, 0, len(list(figures)))
    assert (figures.get("shoe_size"), figures.get("shoe_size", 44), "shoe_size" in figures) == (
        None,
        44,
        False,
    )
    assert (found.get(2), 2 in found, len(found)) == (None, False, 1)
    with pytest.raises(KeyError, match="shoe_size"):
        figures["shoe_size"]
    with pytest.raises(KeyError, match="2"):
        found[2]


def test_worker_i_listens_on_port_plus_i() -> None:
    plane = DataPlane(["127.0.0.1"], 0, 1)
    port = plane.open_transport(1, 0).candidates[0][1]
    plane.stop()
    plane = DataPlane(["127.0.0.1"], port, 2)
    ports = [plane.open_transport(worker, worker).candidates for worker in range(2)]
    plane.stop()
    assert ports == [[("127.0.0.1", port)], [("127.0.0.1", port + 1)]]


def test_candidates_announce_what_peers_reach_ipv4_first() -> None:
    plane = DataPlane(["::1", "127.0.0.1"], 0, 1, ["2001:db8::1", "192.0.2.1"])
    candidates = plane.open_transport(1, 0).candidates
    plane.stop()
    assert [address for address, _ in candidates] == ["192.0.2.1", "2001:db8::1"]


def test_credentials_are_long_and_never_the_same(plane: DataPlane) -> None:
    made = [plane.open_transport(number, 0) for number in range(500)]
    made += [plane.restart_ice(number) for number in range(500)]
    characters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    assert all(len(ice.ufrag) >= 8 and len(ice.pwd) >= 24 for ice in made)
    assert all(characters.issuperset(ice.ufrag + ice.pwd) for ice in made)
    assert len({ice.pwd for ice in made}) == 1_000
    # The first six characters alone tell them apart: nobody has to remember which were given out.
    assert len({ice.ufrag[:6] for ice in made}) == len({ice.ufrag[6:] for ice in made}) == 1_000
    assert not any(ice.pwd in repr(ice) for ice in made)


def test_handles_and_workers_that_are_none(plane: DataPlane) -> None:
    with pytest.raises(IndexError, match="worker 2"):
        plane.open_transport(1, 2)
    with pytest.raises(KeyError):
        plane.restart_ice(1)
    plane.open_transport(1, 0)
    with pytest.raises(ValueError, match="handle 1 is in use"):
        plane.open_transport(1, 1)
    with pytest.raises(ValueError, match="handle 1 is in use"):
        plane.publish(1, 1, video())


def test_commands_for_handles_that_are_gone_have_no_effect(plane: DataPlane) -> None:
    plane.set_remote_ufrag(9, "peer")
    plane.send_dtls(9, b"\x16")
    plane.set_srtp(9, "SRTP_AEAD_AES_128_GCM", bytes(28), bytes(28))
    plane.publish(9, 10, video())
    plane.subscribe(10, 11, 9, viewed())
    plane.prefer(11, layer=0)
    plane.mute(10, True)
    plane.request_keyframe(10)
    plane.close(9)
    plane.open_transport(10, 0)  # was not taken by the publication that could not be


def test_closing_frees_what_hangs_below_and_may_be_repeated(plane: DataPlane) -> None:
    plane.open_transport(1, 0)
    plane.open_transport(2, 0)
    plane.publish(1, 3, video())
    plane.subscribe(3, 4, 2, viewed())
    plane.close(1)
    plane.close(1)
    plane.publish(2, 3, video())
    plane.open_transport(4, 0)
    plane.open_transport(1, 1)


def test_a_subscription_stays_on_its_publications_worker(plane: DataPlane) -> None:
    plane.open_transport(1, 0)
    plane.open_transport(2, 1)
    plane.publish(1, 3, video())
    with pytest.raises(ValueError, match="another worker"):
        plane.subscribe(3, 4, 2, viewed())


@pytest.mark.parametrize(("profile", "length"), KEYS.items())
def test_keys_have_the_length_of_their_profile(
    plane: DataPlane, profile: _dataplane.SrtpProfileName, length: int
) -> None:
    plane.open_transport(1, 0)
    plane.set_srtp(1, profile, bytes(length), bytes(length))
    with pytest.raises(ValueError, match=f"inbound: {length} bytes"):
        plane.set_srtp(1, profile, bytes(length + 1), bytes(length))
    with pytest.raises(ValueError, match=f"outbound: {length} bytes"):
        plane.set_srtp(1, profile, bytes(length), b"")


def test_an_unknown_profile_is_refused(plane: DataPlane) -> None:
    with pytest.raises(ValueError, match=r"^profile: "):
        plane.set_srtp(1, "SRTP_NULL_HMAC_SHA1_80", b"", b"")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: video(payload_type=128), "payload_type"),
        (lambda: video(payload_type=-1), "payload_type"),
        (lambda: video(rtx_payload_type=96), "rtx_payload_type"),
        (lambda: video(rtx_payload_type=200), "rtx_payload_type"),
        (lambda: video(mid="m" * 17), "mid"),
        (lambda: video(mid=""), "mid"),
        (lambda: video(encodings=[]), "encodings"),
        (lambda: video(encodings=[Encoding(rid=str(n)) for n in range(5)]), "encodings"),
        (lambda: video(encodings=[Encoding(ssrc=1), Encoding(ssrc=2, rtx_ssrc=1)]), "encodings"),
        (lambda: video(encodings=[Encoding(rid="a"), Encoding(rid="a")]), "encodings"),
        (lambda: video(kind="smell"), "kind"),
        (lambda: video(codec="MPV"), "codec"),
        (lambda: video(kind="audio"), "codec"),
        (lambda: video(clock_rate=0), "clock_rate"),
        (lambda: Encoding(ssrc=2**32), "ssrc"),
        (lambda: Encoding(rtx_ssrc=-1), "rtx_ssrc"),
        (lambda: Encoding(rid="r" * 17), "rid"),
        (lambda: Extensions(mid=256), "mid"),
        (lambda: Extensions(rid=-1), "rid"),
        (lambda: Extensions(mid=3, playout_delay=3), "playout_delay"),
        (lambda: viewed(ssrc=2**32), "ssrc"),
        (lambda: viewed(rtx_ssrc=7), "rtx_ssrc"),
        (lambda: viewed(cname=""), "cname"),
        (lambda: viewed(cname="c" * 256), "cname"),
        (lambda: viewed(payload_type=128), "payload_type"),
        (lambda: viewed(payload_type=96, red_payload_type=96), "red_payload_type"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(build: Callable[[], object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        build()


@pytest.mark.parametrize("codec", ["VP8", "vp9", "H264", "H265", "AV1"])
def test_every_video_codec_is_known(codec: str) -> None:
    video(codec=codec)


@pytest.mark.parametrize("codec", ["opus", "PCMU", "telephone-event"])
def test_any_audio_codec_is_forwarded(codec: str) -> None:
    video(kind="audio", codec=codec, clock_rate=8_000)


def test_all_of_a_negotiation_is_accepted() -> None:
    extensions = Extensions(mid=1, rid=2, repaired_rid=3, transport_cc=255)
    layers = [Encoding(rid=rid) for rid in ("q", "h", "f")]
    video(
        encodings=layers,
        rtx_payload_type=97,
        mid="0",
        extensions=extensions,
        nack=True,
        pli=True,
        transport_cc=True,
    )
    viewed(rtx_ssrc=8, rtx_payload_type=101, red_payload_type=102, mid="1", extensions=extensions)


def test_the_figures_have_their_shape(plane: DataPlane) -> None:
    stats = plane.stats()
    assert len(stats.workers) == 2
    for worker in stats.workers:
        alive = {"transports", "publications", "subscriptions"}
        assert set(worker) == alive | {"counters", "drops", "forward_delay", "busy_seconds"}
        assert "datagrams_in" in worker["counters"]  # type: ignore[operator]
        assert "unvalidated_source" in worker["drops"]  # type: ignore[operator]
        delay = worker["forward_delay"]
        assert isinstance(delay, tuple)
        bounds, counts, total = delay
        assert bounds == sorted(bounds)
        assert len(counts) == len(bounds) + 1
        assert total == 0
    assert [len(part) for part in (stats.transports, stats.publications, stats.subscriptions)] == [0, 0, 0]


def test_nothing_waits_when_nothing_happened(plane: DataPlane) -> None:
    assert plane.events() == []
    assert select.select([plane.fileno()], [], [], 0)[0] == []


async def test_asyncio_can_watch_the_descriptor(plane: DataPlane) -> None:
    loop = asyncio.get_running_loop()
    loop.add_reader(plane.fileno(), lambda: None)
    assert loop.remove_reader(plane.fileno())


def test_stopping_ends_threads_and_descriptors_and_may_be_repeated() -> None:
    before = descriptors()
    threads = media_threads()
    plane = DataPlane(["127.0.0.1", "::1"], 0, 2)
    port = plane.open_transport(1, 0).candidates[0][1]
    plane.stop()
    plane.stop()
    assert media_threads() == threads
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", port))
    plane.close(1)
    assert plane.events() == []
    assert len(plane.stats().workers) == 2
    with pytest.raises(IndexError, match="worker 0: it has ended"):
        plane.open_transport(2, 0)
    del plane
    assert descriptors() == before


def test_stopping_lets_other_threads_run() -> None:
    planes = [DataPlane(["127.0.0.1"], 0, 1) for _ in range(4)]
    threads = [threading.Thread(target=plane.stop) for plane in planes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
