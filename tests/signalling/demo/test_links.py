"""What the demo prints: every role has a link, secrets stand behind the fragment sign only."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from mediaserver.policy import Role
from signalling.demo.links import Links, text

LINKS = Links(
    local="http://localhost:8080",
    public="https://192.0.2.10:8443",
    room="7QK2",
    invitations={role: f"invitation-{role.value}" for role in Role},
    whip_token="join-token",
    fingerprint="AB:CD",
    data=Path("data"),
    media_ports=(7882, 7883),
    https_port=8443,
)


def test_each_role_has_a_link_for_this_computer_and_for_others() -> None:
    shown = text(LINKS, with_codes=False)
    for base in ("http://localhost:8080", "https://192.0.2.10:8443"):
        for page, role in (("theatre", "surgeon"), ("observe", "observer"), ("consult", "specialist")):
            assert f"{base}/{page}/7QK2#invitation-{role}" in shown
    assert "http://localhost:8080/operations#invitation-operator" in shown
    assert "UDP 7882-7883 and TCP 8443" in shown


def test_an_invitation_never_reaches_a_server_log() -> None:
    link = urlsplit(LINKS.page(LINKS.local, "theatre", Role.SURGEON))
    assert not link.query
    assert "invitation" not in link.path
    assert link.fragment == "invitation-surgeon"


def test_codes_are_shown_when_a_terminal_is_there() -> None:
    assert text(LINKS, with_codes=True).count("▀") > text(LINKS, with_codes=False).count("▀")
