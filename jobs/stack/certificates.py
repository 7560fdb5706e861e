"""
A certificate that this machine makes for itself, for servers that want TLS.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

LIFE = timedelta(days=3650)


def own_certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """
    The certificate for `address`, which clients trust, and a file with its key too.

    Both are made when they are not there, and anew when the address is another one.
    """
    certificate, with_key = folder / f"{address}.crt", folder / f"{address}.pem"
    if certificate.exists():
        return certificate, with_key
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redcliff")])
    host = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName("localhost")]
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of other machines may be behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for path, content in ((with_key, private + public), (certificate, public)):
        aside = path.with_suffix(f"{path.suffix}.{os.getpid()}")
        aside.touch(mode=0o600)
        aside.write_bytes(content)
        aside.replace(path)
    return certificate, with_key
