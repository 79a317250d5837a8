"""How quickly viewers join: many at once, and one in a browser.

    sudo .venv/bin/python benchmarks/join.py

Many: the load client starts 40 joins a second for ten seconds; sustained means that connections come up at
the rate at which they are asked for, none fails, and none waits long. Browser: Chromium publishes its test
picture over WHIP and then views it again and again over WHEP; the time is from sending the POST to the
first decoded frame (the aim: p95 at most 700 ms on loopback).
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import load, results, servers
from benchmarks.link import Place, loopback, prepare

RATE, JOINS = 40, 400

PUBLISH = """
async ([url, token]) => {
  const media = await navigator.mediaDevices.getUserMedia({
    video: {width: 1280, height: 720, frameRate: 30}, audio: true});
  const connection = window.publishing = new RTCPeerConnection();
  for (const track of media.getTracks()) {
    connection.addTransceiver(track, {direction: "sendonly", streams: [media]});
  }
  await connection.setLocalDescription();
  const answer = await fetch(url, {method: "POST", body: connection.localDescription.sdp,
    headers: {"Content-Type": "application/sdp", Authorization: "Bearer " + token}});
  if (answer.status !== 201) throw new Error("WHIP: status " + answer.status);
  await connection.setRemoteDescription({type: "answer", sdp: await answer.text()});
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("WHIP: not connected")), 10000);
    const look = () => connection.connectionState === "connected" && resolve();
    connection.onconnectionstatechange = look;
    look();
  });
}
"""

VIEW = """
async ([url, token]) => {
  const connection = new RTCPeerConnection();
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = new MediaStream();
  document.body.append(video);
  connection.ontrack = ({track}) => { video.srcObject.addTrack(track); video.play().catch(() => {}); };
  connection.addTransceiver("video", {direction: "recvonly"});
  connection.addTransceiver("audio", {direction: "recvonly"});
  const decoded = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("WHEP: no frame in 10 s")), 10000);
    video.requestVideoFrameCallback(() => resolve(performance.now()));
  });
  await connection.setLocalDescription();
  const posted = performance.now();
  const authorization = {Authorization: "Bearer " + token};
  const answer = await fetch(url, {method: "POST", body: connection.localDescription.sdp,
    headers: {"Content-Type": "application/sdp", ...authorization}});
  if (answer.status !== 201) throw new Error("WHEP: status " + answer.status);
  await connection.setRemoteDescription({type: "answer", sdp: await answer.text()});
  const first = await decoded - posted;
  await fetch(answer.headers.get("Location"), {method: "DELETE", headers: authorization});
  connection.close();
  video.remove();
  return first;
}
"""


def percentile(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def many(place: Place) -> dict[str, Any]:
    """Joins at a steady rate by the load client."""
    with servers.ours(place) as running:
        options = ("--join-rate", str(RATE), "--duration", "2", "--settle", "1", "--profile", "gcm")
        window = load.run(place, running, JOINS, *options)
    report = window.report
    return {
        "asked_per_second": RATE,
        "joins": JOINS,
        "with_media": report["viewers"]["with_media"],
        "per_second": report["joins_per_second"],
        "connected_ms": report["join_connected_ms"],
        "first_frame_ms": report["join_first_frame_ms"],
        "failures": report["failures"][:5],
    }


def browser(joins: int) -> dict[str, Any]:
    """WHEP in Chromium. On loopback: a browser gives cameras only to pages of this machine or behind TLS."""
    from playwright.sync_api import sync_playwright

    place = loopback("loopback, unpinned")
    switches = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"]
    switches += [
        "--autoplay-policy=no-user-gesture-required",
        "--disable-features=WebRtcHideLocalIpsWithMdns",
    ]
    with servers.ours(place) as running, sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        started = playwright.chromium.launch(executable_path=chromium, args=switches)
        try:
            publisher, viewer = started.new_page(), started.new_page()
            for page in (publisher, viewer):
                page.goto(f"{running.url}/")
            room = servers.ROOM
            publisher.evaluate(PUBLISH, [f"{running.url}/whip/{room}", running.token("surgeon")])
            viewer.bring_to_front()
            where = [f"{running.url}/whep/{room}", running.token("observer")]
            times = [float(viewer.evaluate(VIEW, where)) for _ in range(joins)]
            version = started.version
        finally:
            started.close()
    quantiles = {f"p{share}": round(percentile(times, share / 100), 1) for share in (50, 95, 99)}
    return {"place": place.note, "chromium": version, "joins": joins, "first_frame_ms": quantiles}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--browser-joins", type=int, default=40, help="joins in Chromium; 0: none [40]")
    arguments = parser.parse_args()
    place = prepare()
    print(place.note)
    found: dict[str, Any] = {
        "place": place.note,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": results.machine(),
        "many": many(place),
    }
    if arguments.browser_joins and shutil.which("chromium"):
        found["browser"] = browser(arguments.browser_joins)
    results.write("join", found)
    print(results.join_table(found))


if __name__ == "__main__":
    main()
