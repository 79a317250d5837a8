"""What is said beside the pictures, and what a flood of it costs them: nothing."""

from __future__ import annotations

import asyncio
import math

from tests.media import MarkedTrack, assert_in_order
from tests.member import Member
from tests.running import Client, until

TOO_FAST = 900
"""At 200 a second, half on each channel: within what DTLS takes, twice what channels take."""
FLOOD = 2000
"""At once: more than DTLS takes, so that most is dropped unread."""
REFUSED = 'loupe_data_channel_messages_refused_total{reason="rate"}'
UNREAD = 'loupe_rtp_packets_dropped_total{reason="dtls_overflow"}'


async def test_a_hostile_channel_costs_no_media(http: Client) -> None:
    """Somebody publishes a picture and floods both channels: their picture and everybody's go on in order,
    and what an honest participant says is passed on.

    Not without a gap: all clients share one loop, which the flood holds up, and a viewer whose reports come
    late is taken for one on a weak link.
    """
    room = http.server.new_room()
    async with (
        Member(http, room) as hostile,
        Member(http, room, "staff") as honest,
        Member(http, room, "specialist") as viewer,
    ):
        [theirs] = await hostile.publish([(MarkedTrack(), "scope", "endoscope")], channels=True)
        [other] = await honest.publish([(MarkedTrack(), "room", "room")], channels=True)
        heard: list[object] = []
        hostile.channels["room"].on("message", heard.append)
        await viewer.do("subscribe", publications=[theirs, other])
        watches = [await viewer.watch(theirs), await viewer.watch(other)]
        for watch in watches:
            await watch.frames(5)
        before = [len(watch.seen) for watch in watches]
        counted = await http.metrics()

        async def flood() -> None:
            for number in range(TOO_FAST + FLOOD):
                hostile.channels["pointer" if number % 2 else "room"].send("x" * 100)
                if number < TOO_FAST and number % 2:
                    await asyncio.sleep(0.01)
                elif number % 20 == 0:
                    await asyncio.sleep(0.005)  # the encoders run in the same loop

        async def dropped() -> bool:
            now = await http.metrics()
            if all(now.get(name, 0.0) - counted.get(name, 0.0) > 50 for name in (REFUSED, UNREAD)):
                return True
            await flood()  # a busy machine may have sent too slowly to be too fast
            return False

        await flood()
        await until(dropped, 40, "what came too fast is counted")
        honest.channels["room"].send("bleeding stopped")
        await until(lambda: "bleeding stopped" in heard, 10, "what the honest one says")
        for watch, start in zip(watches, before, strict=True):
            await watch.frames(10)
            assert_in_order(watch.seen[start:], loss=math.inf)
        assert hostile.publishing is not None
        assert hostile.publishing.connection.connectionState == "connected"
        assert (await hostile.ask("ping"))["type"] == "pong"
