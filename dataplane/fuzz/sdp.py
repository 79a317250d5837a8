"""Fuzz target: offers, answers and fragments as text, through the whole negotiation (atheris).

Run by the script ``run`` beside it. An error of ``mediaserver.errors`` is a refusal; every other exception is
a finding, and so is an answer of ours that we could not read ourselves.
"""  # noqa: INP001 - a program, not a package

from __future__ import annotations

import itertools
import sys

import atheris

with atheris.instrument_imports(include=["mediaserver.negotiation"]):
    from mediaserver.errors import LoupeError
    from mediaserver.ids import PublicationId
    from mediaserver.negotiation.answer import parse_fragment, render_answer, render_fragment
    from mediaserver.negotiation.media import (
        Codec,
        Fingerprint,
        IceCredentials,
        LocalDescription,
        LocalMedia,
        RemoteDescription,
        Setup,
        TransportDescription,
    )
    from mediaserver.negotiation.offer import parse_description
    from mediaserver.negotiation.publishing import answer_publish
    from mediaserver.negotiation.subscribing import Sections, Wanted, answer_watch

TRANSPORT = TransportDescription(
    IceCredentials("serv", "serverserverserver12345"),
    (Fingerprint("sha-256", ":".join(["0A"] * 32)),),
    Setup.PASSIVE,
    (("192.0.2.1", 7882), ("2001:db8::1", 7882)),
)
WANTED = (
    Wanted(PublicationId("camera"), "video", Codec(0, "VP8", 90_000), "theatre", repaired=True),
    Wanted(PublicationId("voice"), "audio", Codec(0, "opus", 48_000, 2), "theatre", repaired=False),
)


def read_back(media: tuple[LocalMedia, ...]) -> None:
    """Renders our answer; it must have the sections that were meant, and no others."""
    text = render_answer(LocalDescription(1, 1, TRANSPORT, media))
    lines = text.split("\r\n")
    sections = [line for line in lines if line.startswith("m=")]
    if len(sections) != len(media):
        raise AssertionError(f"{len(sections)} sections for {len(media)}")
    if any("\n" in line or "\r" in line for line in lines):
        raise AssertionError("an answer with a stray line end")
    if any(not section.rejected for section in media):
        again = parse_description(text)
        if [section.mid for section in again.media] != [section.mid for section in media]:
            raise AssertionError("the answer's sections are not those of the offer")


def negotiate(remote: RemoteDescription) -> None:
    """Answers as to a publisher and as to a viewer, and takes the text for an answer to an offer of ours."""
    for partial in (True, False):
        try:
            deal = answer_publish(remote, permitted={"audio", "video"}, partial=partial)
        except LoupeError:
            continue
        read_back(deal.answer)
    numbers = itertools.count(1_000)
    try:
        watch = answer_watch(remote, WANTED, lambda: next(numbers))
    except LoupeError:
        pass
    else:
        read_back(watch.answer)
    sections = Sections(lambda: next(numbers), 8)
    sections.update(WANTED)
    try:
        sections.accept(remote)
    except LoupeError:
        return


def one_input(data: bytes) -> None:
    """One text, as a description and as a fragment."""
    text = data.decode(errors="replace")
    try:
        fragment = parse_fragment(text)
    except LoupeError:
        pass
    else:
        if fragment.candidates < 0:
            raise AssertionError("fewer than no candidates")
        if fragment.ice is not None:
            ours = TransportDescription(fragment.ice, TRANSPORT.fingerprints, Setup.PASSIVE)
            parse_fragment(render_fragment(ours, (("0", "audio"), ("1", "video"))))
    try:
        remote = parse_description(text)
    except LoupeError:
        return
    negotiate(remote)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
