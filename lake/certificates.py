"""
The certificate authorities that this machine trusts, in the form in which Java reads them.

A Java runtime from a wheel trusts its own list only. Many government networks have an authority
of their own, which the machine's bundle names and which pip was told; Java shall trust the same.
"""

from __future__ import annotations

import hashlib
import ssl
import struct
from collections.abc import Mapping
from pathlib import Path

PASSWORD = "changeit"
"""Java's customary password; the store holds public certificates only."""

NAMED_BY = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat, openEuler, Kylin
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS
)


def find_bundle(environ: Mapping[str, str]) -> Path | None:
    """The PEM file of trusted authorities: what pip was told, else the machine's; None: no such."""
    named = [environ[name] for name in NAMED_BY if environ.get(name)]
    default = ssl.get_default_verify_paths().cafile
    candidates = [*named, *([default] if default else []), *BUNDLES]
    return next((Path(c) for c in candidates if Path(c).is_file()), None)


def write_truststore(bundle: Path, store: Path) -> Path:
    """
    Write the authorities of a PEM bundle as a Java key store (JKS) with the password `PASSWORD`.

    JKS is the one form that every Java reads and that needs no cryptography to write. Certificates
    that OpenSSL cannot read are left out.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(bundle))
    certificates = context.get_ca_certs(binary_form=True)
    body = bytearray(struct.pack(">III", 0xFEEDFEED, 2, len(certificates)))
    for number, certificate in enumerate(certificates):
        body += struct.pack(">I", 2) + _text(f"authority-{number}") + struct.pack(">Q", 0)
        body += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    # The format's own seal: SHA-1 of the password in UTF-16, this phrase, and the body.
    seal = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body)
    store.write_bytes(bytes(body) + seal.digest())
    return store


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
