"""The synthetic theatre as a process of its own: joins a room
over WebSocket and publishes with aiortc, like any client.

``python -m signalling.demo.publisher URL [--video FILE]`` with a join token on standard input, so
that no token is seen in a list of processes. It ends when the socket closes or standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamTrack

from signalling.client import Client
from signalling.demo.pictures import Endoscope, Monitor
from signalling.demo.tracks import DrawnTrack, VoiceTrack
from signalling.messages import PROTOCOL
from signalling.standard_input import end_of_input


def sources(video: str | None) -> list[tuple[MediaStreamTrack, str, str]]:
    """(track, label, source type) of all that the theatre publishes."""
    if video is None:
        endoscope: MediaStreamTrack = DrawnTrack(Endoscope().draw, frames_per_second=25)
        voice: MediaStreamTrack = VoiceTrack()
    else:
        player = MediaPlayer(video, loop=True)
        assert player.video is not None, "the demo has looked"
        endoscope, voice = player.video, player.audio or VoiceTrack()
    return [
        (endoscope, "Nội soi / Endoscope", "endoscope"),
        (DrawnTrack(Monitor().draw, frames_per_second=5), "Máy theo dõi / Monitor", "monitor"),
        (voice, "Phẫu thuật viên / Surgeon", "microphone"),
    ]


async def publish(client: Client, connection: RTCPeerConnection, video: str | None) -> None:
    """Offers all sources and connects."""
    labels = []
    for track, label, source_type in sources(video):
        connection.addTrack(track)
        labels.append((label, source_type))
    await connection.setLocalDescription(await connection.createOffer())
    # aiortc groups by kind only in the text: transceivers keep the order of addTrack.
    described = [
        {"mid": transceiver.mid, "label": label, "source_type": source_type}
        for transceiver, (label, source_type) in zip(connection.getTransceivers(), labels, strict=True)
    ]
    answer = await client.request("publish", sdp=connection.localDescription.sdp, sources=described)
    await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))


async def run(url: str, token: str, video: str | None) -> None:
    """Publishes until the socket closes."""
    # The demo's own server shows a certificate that it made itself a moment ago, over loopback.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"{url}/ws", protocols=(PROTOCOL,), ssl=context, max_msg_size=1 << 20
            ) as socket,
            asyncio.TaskGroup() as tasks,
        ):
            client = Client(socket)
            reading = tasks.create_task(client.read())
            await client.request("join", token=token, name="Phòng mổ / Theatre")
            await publish(client, connection, video)
            heartbeat = tasks.create_task(client.heartbeat())
            await asyncio.wait(
                {reading, tasks.create_task(end_of_input())}, return_when=asyncio.FIRST_COMPLETED
            )
            heartbeat.cancel()
            await socket.close()
    finally:
        await connection.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--video")
    arguments = parser.parse_args()
    token = sys.stdin.readline().strip()
    try:
        asyncio.run(run(arguments.url, token, arguments.video))
    except* (aiohttp.ClientError, asyncio.CancelledError):
        sys.exit("the synthetic theatre has lost its server")


if __name__ == "__main__":
    main()
