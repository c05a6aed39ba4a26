#!/usr/bin/python3
"""Certificates for the TLS tests, made at build time.

Every certificate is judged against the tests' own clock, so the dates are fixed. The keys live in the build folder only.
"""

import argparse
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

XMPP_ADDR = ObjectIdentifier("1.3.6.1.5.5.7.8.5")
DNS_SRV = ObjectIdentifier("1.3.6.1.5.5.7.8.7")
SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH

# The tests' clock stands at noon of 2026-06-01.
BEGIN, END = datetime.datetime(2026, 1, 1), datetime.datetime(2036, 1, 1)
PAST, FUTURE = datetime.datetime(2026, 5, 1), datetime.datetime(2026, 7, 1)


def der(tag, content):
    """One DER element of less than 64 KB."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + length + content


def dns(*names):
    return [x509.DNSName(name) for name in names]


def xmpp_addr(name):
    return [x509.OtherName(XMPP_ADDR, der(0x0C, name.encode()))]


def srv_name(name):
    return [x509.OtherName(DNS_SRV, der(0x16, name.encode()))]


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def p384():
    return ec.generate_private_key(ec.SECP384R1())


def rsa_key(bits):
    return rsa.generate_private_key(65537, bits)


class Pki:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="ascii")

    def write_key(self, name, key, form=serialization.PrivateFormat.PKCS8, encryption=serialization.NoEncryption()):
        self.write(name, key.private_bytes(serialization.Encoding.PEM, form, encryption).decode())

    def certificate(self, key, names, common_name, issuer=None, begin=BEGIN, end=END, usage=(SERVER_AUTH, CLIENT_AUTH),
                    digest=hashes.SHA256(), ca=False, extensions=()):
        """(certificate, key); issuer None: self-signed."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        issuer_name, issuer_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
        if ca:
            builder = builder.add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        elif usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer_key, digest), key

    def save(self, name, pair, issuers=()):
        chain = "".join(certificate.public_bytes(serialization.Encoding.PEM).decode()
                        for certificate in (pair[0], *(issuer[0] for issuer in issuers)))
        self.write(f"{name}.crt", chain)
        self.write_key(f"{name}.key", pair[1])

    def leaf(self, name, issuer, names, key=None, issuers=(), **options):
        self.save(name, self.certificate(key or p256(), names, options.pop("common_name", name), issuer, **options),
                  issuers)


def make_leaves(pki, ca):
    pki.leaf("edge", ca, dns("edge.example"))
    pki.leaf("edge-p384", ca, dns("edge.example"), p384())
    pki.leaf("partner", ca, dns("partner.example"))
    pki.leaf("wildcard", ca, dns("*.partner.example"))
    pki.leaf("xmpp-addr", ca, xmpp_addr("partner.example"))
    pki.leaf("srv-name", ca, srv_name("_xmpp-server.partner.example"))
    pki.leaf("srv-client", ca, srv_name("_xmpp-client.partner.example"))
    pki.leaf("cn-only", ca, [], common_name="partner.example")
    pki.leaf("address", ca, [x509.IPAddress(ipaddress.ip_address("192.0.2.1"))], common_name="partner.example")
    pki.leaf("server-auth-only", ca, dns("partner.example"), usage=(SERVER_AUTH,))
    pki.leaf("client-auth-only", ca, dns("partner.example"), usage=(CLIENT_AUTH,))
    pki.leaf("no-usage", ca, dns("partner.example"), usage=())
    pki.leaf("any-usage", ca, dns("partner.example"), usage=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))
    pki.leaf("expired", ca, dns("partner.example"), end=PAST)
    pki.leaf("not-yet-valid", ca, dns("partner.example"), begin=FUTURE)
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), der(0x04, b"?"))
    pki.leaf("critical-unknown", ca, dns("partner.example"), extensions=((unknown, True),))
    pki.leaf("ordinary-unknown", ca, dns("partner.example"), extensions=((unknown, False),))
    pki.leaf("many-names", ca, dns(*(f"domain-{number}.partner.example" for number in range(100))))


def make_rsa(pki):
    ca = pki.certificate(rsa_key(4096), [], "RSA Test CA", ca=True)
    pki.save("rsa-ca", ca)
    middle = pki.certificate(rsa_key(2048), [], "RSA Test Intermediate CA", ca, ca=True)
    pki.leaf("edge-rsa", middle, dns("edge.example"), rsa_key(2048), issuers=(middle,))
    pki.leaf("partner-rsa", middle, dns("partner.example"), rsa_key(2048), issuers=(middle,))
    pki.leaf("partner-rsa-4096", middle, dns("partner.example"), rsa_key(4096), issuers=(middle,))
    pki.leaf("partner-rsa-1024", middle, dns("partner.example"), rsa_key(1024), issuers=(middle,))


def write_header(folder, header):
    """The files as C++ strings, for programs on boards without files."""
    lines = ["#pragma once", "namespace pki {"]
    for path in sorted(folder.glob("*.*")):
        text = path.read_text(encoding="ascii").replace("\n", "\\n")
        name = path.name.replace("-", "_").replace(".", "_")
        lines.append(f'[[maybe_unused]] inline constexpr const char* {name} = "{text}";')
    lines.append("}  // namespace pki")
    header.write_text("\n".join(lines) + "\n", encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--header", type=pathlib.Path, help="write the files as C++ strings, too")
    arguments = parser.parse_args()
    pki = Pki(arguments.folder)
    ca = pki.certificate(p256(), [], "Test CA", ca=True)
    pki.save("ca", ca)
    make_leaves(pki, ca)
    make_rsa(pki)

    other_ca = pki.certificate(p256(), [], "Foreign CA", ca=True)
    pki.save("foreign-ca", other_ca)
    pki.leaf("foreign", other_ca, dns("partner.example"))
    # The trusted CA's name on a foreign key: the signature has to be looked at, not the name.
    impostor = pki.certificate(p256(), [], "Test CA", ca=True)
    pki.leaf("impostor", impostor, dns("partner.example"))
    pki.leaf("self-signed", None, dns("partner.example"))
    not_a_ca = pki.certificate(p256(), dns("partner.example"), "Not a CA", ca)
    pki.leaf("issued-by-a-leaf", not_a_ca, dns("partner.example"), issuers=(not_a_ca,))

    middle = pki.certificate(p256(), [], "Intermediate CA", ca, ca=True)
    pki.leaf("partner-chain", middle, dns("partner.example"), issuers=(middle,))
    pki.leaf("missing-intermediate", middle, dns("partner.example"))
    expired_middle = pki.certificate(p256(), [], "Expired Intermediate CA", ca, ca=True, end=PAST)
    pki.leaf("expired-intermediate", expired_middle, dns("partner.example"), issuers=(expired_middle,))
    short_middle = pki.certificate(p256(), [], "Short-lived Intermediate CA", ca, ca=True,
                                   end=datetime.datetime(2026, 6, 1, 13))
    pki.leaf("short-chain", short_middle, dns("partner.example"), issuers=(short_middle,))

    key = p256()
    pki.write_key("sec1.key", key, serialization.PrivateFormat.TraditionalOpenSSL)
    pki.leaf("sec1", ca, dns("edge.example"), key)
    pki.write_key("sec1.key", key, serialization.PrivateFormat.TraditionalOpenSSL)
    encryption = serialization.BestAvailableEncryption(b"secret")
    pki.write_key("encrypted.key", key, encryption=encryption)
    pki.write_key("encrypted-sec1.key", key, serialization.PrivateFormat.TraditionalOpenSSL, encryption)
    pki.write_key("ed25519.key", ed25519.Ed25519PrivateKey.generate())
    pki.write_key("p521.key", ec.generate_private_key(ec.SECP521R1()))
    if arguments.header:
        write_header(arguments.folder, arguments.header)


if __name__ == "__main__":
    main()
