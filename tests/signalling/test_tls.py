"""Certificates: self-made ones are kept and renewed, given ones are checked."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest

from mediaserver.errors import InvalidSettings
from signalling import tls


def test_a_self_made_certificate_is_kept_until_it_lacks_a_name(tmp_path: Path) -> None:
    first = tls.self_made(tmp_path, ["localhost", "127.0.0.1"]).fingerprint()
    assert tls.self_made(tmp_path, ["localhost"]).fingerprint() == first
    renewed = tls.self_made(tmp_path, ["localhost", "192.0.2.1"])
    assert renewed.fingerprint() != first
    assert stat.S_IMODE(renewed.key.stat().st_mode) == 0o600
    left = tls.expires(renewed) - datetime.datetime.now(datetime.UTC)
    assert tls.LIFETIME_DAYS - 1 <= left.days <= tls.LIFETIME_DAYS
    assert {path.name for path in tmp_path.iterdir()} == {tls.CERTIFICATE_FILE, tls.KEY_FILE}


def test_a_certificate_about_to_end_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "LIFETIME_DAYS", tls.RENEW_BEFORE_DAYS - 1)
    first = tls.self_made(tmp_path, ["localhost"]).fingerprint()
    assert tls.self_made(tmp_path, ["localhost"]).fingerprint() != first


def test_files_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    one, other = (tls.self_made(_folder(tmp_path / name), ["localhost"]) for name in ("one", "other"))
    with pytest.raises(InvalidSettings, match="no certificate with its key"):
        tls.context(tls.Certificate(one.certificate, other.key))
    with pytest.raises(InvalidSettings, match="there is no file"):
        tls.context(tls.Certificate(one.certificate, tmp_path / "nothing"))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_new_handshakes_get_the_renewed_certificate(tmp_path: Path) -> None:
    files = tls.self_made(tmp_path, ["localhost"])
    context = tls.context(files)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    before = shown(context)
    tls.self_made(tmp_path, ["localhost", "renewed.example"])
    assert shown(context) == before
    tls.reload(context, files)
    assert shown(context) != before


def shown(server: ssl.SSLContext) -> bytes | None:
    """The certificate of a handshake in memory."""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(6):
        for end in (here, there):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return here.getpeercert(binary_form=True)
