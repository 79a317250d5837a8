"""TLS for the HTTP side: a given certificate, or a self-made one for a trial in a local network."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mediaserver.errors import InvalidSettings

CERTIFICATE_FILE = "tls-certificate.pem"
KEY_FILE = "tls-key.pem"
LIFETIME_DAYS = 365
RENEW_BEFORE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form."""

    certificate: Path
    key: Path

    def fingerprint(self) -> str:
        """SHA-256 of the first certificate, as browsers show it, for comparing by eye."""
        text = self.certificate.read_text()
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(_first(text))).hexdigest()
        return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2)).upper()


def _first(text: str) -> str:
    end = "-----END CERTIFICATE-----"
    start = text.index("-----BEGIN CERTIFICATE-----")
    return text[start : text.index(end, start) + len(end)] + "\n"


def context(certificate: Certificate) -> ssl.SSLContext:
    """TLS 1.2 and newer, HTTP/1.1. ``reload`` gives new handshakes a renewed certificate.

    Raises:
        InvalidSettings: the files cannot be read or do not belong together.
    """
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    reload(made, certificate)
    return made


def reload(into: ssl.SSLContext, certificate: Certificate) -> None:
    """Reads the files again; connections that stand keep what they have. Raises ``InvalidSettings``."""
    for file in (certificate.certificate, certificate.key):
        if not file.is_file():
            raise InvalidSettings(f"tls: there is no file {file}")
    try:
        into.load_cert_chain(certificate.certificate, certificate.key)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise InvalidSettings(
            f"tls: {certificate.certificate} and {certificate.key} are no certificate with its key ({reason})"
        ) from None


def expires(certificate: Certificate) -> datetime.datetime:
    """When the certificate ends, UTC."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate.certificate.read_bytes()).not_valid_after_utc


def self_made(folder: Path, hosts: Sequence[str]) -> Certificate:
    """A certificate that this server signs itself, for these names and addresses; kept in ``folder``
    and renewed when it is about to end or lacks one of them. Browsers warn; compare the fingerprint."""
    files = Certificate(folder / CERTIFICATE_FILE, folder / KEY_FILE)
    if not _still_good(files, hosts):
        _make(files, hosts)
    return files


def _still_good(files: Certificate, hosts: Sequence[str]) -> bool:
    from cryptography import x509

    if not (files.certificate.is_file() and files.key.is_file()):
        return False
    found = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=RENEW_BEFORE_DAYS)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {str(value) for value in names.get_values_for_type(x509.DNSName)}
    known |= {str(value) for value in names.get_values_for_type(x509.IPAddress)}
    return found.not_valid_after_utc > soon and set(hosts) <= known


def _make(files: Certificate, hosts: Sequence[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Loupe")])
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(
        files.key,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        0o600,
    )
    _write(files.certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise InvalidSettings(f"tls: cannot write {path}: {error.strerror}") from None
