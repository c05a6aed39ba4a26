"""Certificate authorities and certificates for the lab."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")  # id-on-xmppAddr, RFC 6120 13.7.1.4
_DNS_SRV = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")  # id-on-dnsSRV, RFC 4985
_UTF8_STRING, _IA5_STRING = 0x0C, 0x16
DAY = datetime.timedelta(days=1)
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Credential:
    """A certificate chain (leaf first) and its key, as PEM."""

    chain_pem: bytes
    key_pem: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.chain_pem)
        key.write_bytes(self.key_pem)
        key.chmod(0o600)
        return certificate, key


class Authority:
    """A certificate authority; issue() makes end-entity certificates, intermediate() an authority below it."""

    def __init__(self, common_name: str, parent: "Authority | None" = None) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        self._certificate = _sign(
            x509.CertificateBuilder().subject_name(self.name).public_key(self._key.public_key())
            .not_valid_before(now - 30 * DAY).not_valid_after(now + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False),
            parent or self)
        # A root is known to its relying parties and is not sent; an intermediate is sent with each certificate it issues.
        self._sent_chain = _pem(self._certificate) + parent._sent_chain if parent else b""

    @property
    def pem(self) -> bytes:
        return _pem(self._certificate)

    def intermediate(self, common_name: str) -> "Authority":
        return Authority(common_name, parent=self)

    def issue(self, *dns_names: str, key_type: str = "ec", valid_from: datetime.timedelta = -DAY,
              valid_to: datetime.timedelta = 365 * DAY, usages=(SERVER_AUTH, CLIENT_AUTH), xmpp_addrs: tuple[str, ...] = (),
              srv_names: tuple[str, ...] = (), common_name: str | None = None) -> Credential:
        """A certificate with these names in its subjectAltName. common_name is set apart: identities never come from it."""
        key = _new_key(key_type)
        builder = _end_entity(key, common_name or "lab certificate", dns_names, xmpp_addrs, srv_names, usages, valid_from,
                              valid_to)
        return Credential(_pem(_sign(builder, self)) + self._sent_chain, _key_pem(key))


def self_signed(*dns_names: str) -> Credential:
    """A certificate that vouches for itself: no identity to anybody (CVE-2014-3451)."""
    key = _new_key("ec")
    builder = _end_entity(key, dns_names[0], dns_names, (), (), (SERVER_AUTH, CLIENT_AUTH), -DAY, 365 * DAY)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns_names[0])])
    certificate = builder.issuer_name(issuer).serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())
    return Credential(_pem(certificate), _key_pem(key))


def _end_entity(key, common_name, dns_names, xmpp_addrs, srv_names, usages, valid_from, valid_to):
    now = datetime.datetime.utcnow()
    names = [x509.DNSName(name) if not _is_address(name) else x509.IPAddress(ipaddress.ip_address(name)) for name in dns_names]
    names += [x509.OtherName(_XMPP_ADDR, _der_string(_UTF8_STRING, name)) for name in xmpp_addrs]
    names += [x509.OtherName(_DNS_SRV, _der_string(_IA5_STRING, name)) for name in srv_names]
    builder = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
               .public_key(key.public_key()).not_valid_before(now + valid_from).not_valid_after(now + valid_to)
               .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
               .add_extension(_key_usage(ca=False), critical=True))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return builder


def _sign(builder: x509.CertificateBuilder, issuer: Authority) -> x509.Certificate:
    return (builder.issuer_name(issuer.name).serial_number(x509.random_serial_number())
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer._key.public_key()), critical=False)
            .sign(issuer._key, hashes.SHA256()))


def _new_key(key_type: str):
    if key_type == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    assert key_type.startswith("rsa"), key_type
    return rsa.generate_private_key(65537, int(key_type[3:] or 2048))


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
                         key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                         decipher_only=False)


def _der_string(tag: int, text: str) -> bytes:
    data = text.encode()
    assert len(data) < 128
    return bytes([tag, len(data)]) + data


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
