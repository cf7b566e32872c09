import warnings
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crypto.errors import Expired, Malformed, NotYetValid, Untrusted
from crypto.instant import UnixSeconds
from crypto.x509 import chain, profile
from crypto.x509.issue import Authority, Validity
from crypto.x509.profile import Names, Role
from tests.fakes import certificates
from tests.fakes.certificates import BASE, NOW, der

P256_OID = bytes.fromhex("06082a8648ce3d030107")
PRIME239V3_OID = bytes.fromhex("06082a8648ce3d030106")
ROOT = certificates.root()
OFFICE = certificates.intermediate(ROOT)
LEAF_ROLES = tuple(profile.EXTENDED_KEY_USAGE)
LEAF_KEY = certificates.p256("leaf").public_key()


def verify(
    *path: x509.Certificate, role: Role = Role.ISSUER, now: int = NOW, root: Authority = ROOT
) -> chain.Leaf:
    return chain.verify(
        tuple(map(der, path)), root=root.certificate, role=role, now=UnixSeconds(now)
    )


@pytest.mark.parametrize("role", LEAF_ROLES)
@pytest.mark.parametrize("with_intermediate", [False, True], ids=["direct", "intermediate"])
def test_a_complete_path_is_accepted(role: Role, *, with_intermediate: bool) -> None:
    authority = OFFICE if with_intermediate else ROOT
    certificate = certificates.leaf(authority, role)
    path = (certificate, OFFICE.certificate) if with_intermediate else (certificate,)
    leaf = verify(*path, role=role)
    assert leaf.public_key == LEAF_KEY
    assert leaf.der_sha256 == certificate.fingerprint(hashes.SHA256())
    if role is Role.VERIFIER:
        assert (leaf.dns_names, leaf.uris) == (("bar.example",), ())
    else:
        assert (leaf.dns_names, leaf.uris) == ((), (BASE,))


def test_an_intermediate_may_hold_an_ed25519_key() -> None:
    key = certificates.ed("office")
    certificate = certificates.sign(
        certificates.authority_extensions(0).values(), ROOT, key=key.public_key()
    )
    authority = Authority(certificate=certificate, key=key)
    assert verify(certificates.leaf(authority), certificate).uris == (BASE,)


def test_sec4_1_2_5_a_certificate_from_the_year_0_is_malformed() -> None:
    year_2052 = Validity(
        not_before=UnixSeconds(2_600_000_000), not_after=UnixSeconds(2_600_000_001)
    )
    octets = der(certificates.leaf(ROOT, validity=year_2052))
    assert chain.load(octets)
    with pytest.raises(Malformed):
        chain.load(octets.replace(b"20520522", b"00000522"))


@pytest.mark.parametrize("role", LEAF_ROLES)
@pytest.mark.parametrize("demanded", LEAF_ROLES)
def test_a_leaf_of_another_role_is_refused(role: Role, demanded: Role) -> None:
    if role is not demanded:
        with pytest.raises(Untrusted):
            verify(certificates.leaf(ROOT, role), role=demanded)


@pytest.mark.parametrize("missing", ["basic", "usage", "purpose", "names"])
def test_a_leaf_without_one_piece_is_refused(missing: str) -> None:
    pieces = certificates.leaf_extensions()
    assert verify(certificates.sign(pieces.values(), ROOT, key=LEAF_KEY)).uris == (BASE,)
    del pieces[missing]
    with pytest.raises(Untrusted):
        verify(certificates.sign(pieces.values(), ROOT, key=LEAF_KEY))


_FOREIGN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
_WRONG_LEAVES = {
    "authority": {"basic": (x509.BasicConstraints(ca=True, path_length=0), True)},
    "usage not critical": {"usage": (profile.usage("digital_signature"), False)},
    "usage empty of signatures": {"usage": (profile.usage("key_agreement"), True)},
    "usage with more": {"usage": (profile.usage("digital_signature", "key_cert_sign"), True)},
    "any purpose": {
        "purpose": (
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
            True,
        )
    },
    "web server": {
        "purpose": (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), True)
    },
    "two purposes": {
        "purpose": (x509.ExtendedKeyUsage(list(profile.EXTENDED_KEY_USAGE.values())[:2]), True)
    },
    "two names": {"names": (Names(uris=(BASE, BASE)).extension(), False)},
    "DNS name": {"names": (Names(dns_names=("issuer.example",)).extension(), False)},
    "unknown critical": {"foreign": (_FOREIGN, True)},
    "name constraints": {
        "foreign": (
            x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=[x509.DNSName("a")]),
            True,
        )
    },
}


@pytest.mark.parametrize("wrong", _WRONG_LEAVES)
def test_a_leaf_with_one_wrong_piece_is_refused(wrong: str) -> None:
    pieces = certificates.leaf_extensions() | _WRONG_LEAVES[wrong]
    with pytest.raises(Untrusted):
        verify(certificates.sign(pieces.values(), ROOT, key=LEAF_KEY))


_BAD_NAMES = {
    "mail": [x509.UniformResourceIdentifier(BASE), x509.RFC822Name("a@issuer.example")],
    "wildcard": [x509.DNSName("*.example")],
    "capitals": [x509.DNSName("Bar.example")],
    "trailing newline": [x509.DNSName("bar.example\n")],
    "other scheme": [x509.UniformResourceIdentifier("ftp://issuer.example")],
    "space": [x509.UniformResourceIdentifier("https://issuer.example /")],
}


@pytest.mark.parametrize("names", _BAD_NAMES)
def test_a_badly_spelled_name_is_malformed(names: str) -> None:
    pieces = certificates.leaf_extensions(Role.VERIFIER)
    pieces["names"] = (x509.SubjectAlternativeName(_BAD_NAMES[names]), False)
    certificate = certificates.sign(pieces.values(), ROOT, key=LEAF_KEY)
    with pytest.raises(Malformed):
        verify(certificate, role=Role.VERIFIER)


def test_a_verifier_without_any_name_is_refused() -> None:
    pieces = certificates.leaf_extensions(Role.VERIFIER)
    pieces["names"] = (x509.SubjectAlternativeName([]), False)
    with pytest.raises((Untrusted, Malformed)):
        verify(certificates.sign(pieces.values(), ROOT, key=LEAF_KEY), role=Role.VERIFIER)


def test_an_unknown_extension_that_is_not_critical_says_nothing() -> None:
    pieces = certificates.leaf_extensions() | {"foreign": (_FOREIGN, False)}
    assert verify(certificates.sign(pieces.values(), ROOT, key=LEAF_KEY)).uris == (BASE,)


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(7, ec.SECP384R1()).public_key(),
        ec.derive_private_key(7, ec.SECP256K1()).public_key(),
        certificates.ed("leaf").public_key(),
        rsa.RSAPublicNumbers(65537, (1 << 2047) + 1).public_key(),
    ],
    ids=["curve of 384 bits", "secp256k1", "Ed25519", "RSA"],
)
def test_a_leaf_key_of_another_kind_is_refused(key: object) -> None:
    certificate = certificates.sign(certificates.leaf_extensions().values(), ROOT, key=key)
    with pytest.raises(Untrusted):
        verify(certificate)


_WRONG_INTERMEDIATES = {
    "not an authority": {"basic": (x509.BasicConstraints(ca=False, path_length=None), True)},
    "constraints not critical": {"basic": (x509.BasicConstraints(ca=True, path_length=0), False)},
    "path length one": {"basic": (x509.BasicConstraints(ca=True, path_length=1), True)},
    "path length open": {"basic": (x509.BasicConstraints(ca=True, path_length=None), True)},
    "usage of a leaf": {"usage": (profile.usage("digital_signature"), True)},
    "usage not critical": {"usage": (profile.usage("key_cert_sign"), False)},
    "extended usage": {
        "purpose": (x509.ExtendedKeyUsage([profile.EXTENDED_KEY_USAGE[Role.ISSUER]]), False)
    },
    "unknown critical": {"foreign": (_FOREIGN, True)},
}


@pytest.mark.parametrize("wrong", _WRONG_INTERMEDIATES)
def test_a_wrong_intermediate_is_refused(wrong: str) -> None:
    key = certificates.p256("office")
    pieces = certificates.authority_extensions(0)

    def path(
        pieces: dict[str, certificates.Extension],
    ) -> tuple[x509.Certificate, x509.Certificate]:
        office = certificates.sign(pieces.values(), ROOT, key=key.public_key())
        return certificates.leaf(Authority(certificate=office, key=key)), office

    assert verify(*path(pieces)).uris == (BASE,)
    with pytest.raises(Untrusted):
        verify(*path(pieces | _WRONG_INTERMEDIATES[wrong]))


@pytest.mark.parametrize("missing", ["basic", "usage"])
def test_an_intermediate_without_one_piece_is_refused(missing: str) -> None:
    key = certificates.p256("office")
    pieces = certificates.authority_extensions(0)
    del pieces[missing]
    office = certificates.sign(pieces.values(), ROOT, key=key.public_key())
    with pytest.raises(Untrusted):
        verify(certificates.leaf(Authority(certificate=office, key=key)), office)


@pytest.mark.attack("SDJWT-012")
def test_wrong_paths_are_refused() -> None:
    leaf = certificates.leaf(ROOT)
    under_office = certificates.leaf(OFFICE)
    other = certificates.root("other root")
    wrong = {
        "nothing": (),
        "self-signed leaf": (_self_signed(),),
        "unknown root of the same name": (certificates.leaf(other),),
        "root included": (leaf, ROOT.certificate),
        "reordered": (OFFICE.certificate, under_office),
        "intermediate left out": (under_office,),
        "intermediate that is not needed": (leaf, OFFICE.certificate),
        "intermediate as leaf": (OFFICE.certificate,),
        "leaf twice": (leaf, leaf),
        "three": (under_office, OFFICE.certificate, OFFICE.certificate),
        "fifty": (under_office, *(OFFICE.certificate,) * 49),
    }
    assert verify(leaf).uris == verify(under_office, OFFICE.certificate).uris == (BASE,)
    for path in wrong.values():
        with pytest.raises(Untrusted):
            verify(*path)


def _self_signed() -> x509.Certificate:
    key = certificates.p256("leaf")
    itself = Authority(certificate=ROOT.certificate, key=key)
    return certificates.sign(
        certificates.leaf_extensions().values(), itself, key=LEAF_KEY, algorithm=hashes.SHA256()
    )


def test_a_certificate_signed_with_another_hash_is_refused() -> None:
    pieces = certificates.leaf_extensions().values()
    certificate = certificates.sign(pieces, OFFICE, key=LEAF_KEY, algorithm=hashes.SHA384())
    with pytest.raises(Untrusted):
        verify(certificate, OFFICE.certificate)


def test_names_that_do_not_chain_are_refused() -> None:
    pieces = certificates.leaf_extensions().values()
    certificate = certificates.sign(pieces, ROOT, key=LEAF_KEY, issuer=OFFICE.certificate.subject)
    with pytest.raises(Untrusted):
        verify(certificate)


@pytest.mark.parametrize("who", ["root", "office", "leaf"])
def test_the_shortest_validity_on_the_path_counts_and_both_ends_belong_to_it(who: str) -> None:
    short = Validity(not_before=UnixSeconds(NOW - 10), not_after=UnixSeconds(NOW + 10))
    given = {
        each: short if each == who else certificates.VALIDITY for each in ("root", "office", "leaf")
    }
    root = certificates.root(validity=given["root"])
    office = certificates.intermediate(root, given["office"])
    path = (certificates.leaf(office, validity=given["leaf"]), office.certificate)
    for now in (NOW - 10, NOW, NOW + 10):
        leaf = verify(*path, now=now, root=root)
        assert (leaf.not_before, leaf.not_after) == (NOW - 10, NOW + 10)
    with pytest.raises(NotYetValid):
        verify(*path, now=NOW - 11, root=root)
    with pytest.raises(Expired):
        verify(*path, now=NOW + 11, root=root)


def test_a_kept_leaf_is_checked_against_the_time_again() -> None:
    leaf = replace(verify(certificates.leaf(ROOT)), not_after=UnixSeconds(NOW))
    chain.check_time(leaf, now=NOW)
    with pytest.raises(Expired):
        chain.check_time(leaf, now=UnixSeconds(NOW + 1))


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x30\x00", b"\x30\x82\x10\x00" + bytes(chain.LARGEST_CERTIFICATE)],
    ids=["empty", "nothing inside", "too large"],
)
def test_octets_that_are_no_certificate_are_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        chain.verify((octets,), root=ROOT.certificate, role=Role.ISSUER, now=NOW)


def test_octets_after_the_certificate_are_malformed() -> None:
    octets = der(certificates.leaf(ROOT)) + b"\0"
    with pytest.raises(Malformed):
        chain.verify((octets,), root=ROOT.certificate, role=Role.ISSUER, now=NOW)


def test_every_changed_byte_of_a_leaf_is_refused() -> None:
    octets = der(certificates.leaf(ROOT))
    for position in range(len(octets)):
        changed = bytearray(octets)
        changed[position] ^= 0x01
        with pytest.raises((Malformed, Untrusted, Expired, NotYetValid)):
            chain.verify((bytes(changed),), root=ROOT.certificate, role=Role.ISSUER, now=NOW)


def test_an_extension_that_stands_twice_is_malformed() -> None:
    octets = der(certificates.leaf(ROOT))
    purpose, names = b"\x06\x03\x55\x1d\x11", b"\x06\x03\x55\x1d\x0f"
    assert octets.count(purpose) == 1
    with pytest.raises(Malformed):
        chain.verify(
            (octets.replace(purpose, names),), root=ROOT.certificate, role=Role.ISSUER, now=NOW
        )


@pytest.mark.parametrize("strict", [False, True], ids=["warned", "raised"])
def test_a_serial_number_that_is_not_positive_is_refused(*, strict: bool) -> None:
    octets = der(certificates.leaf(ROOT))
    assert octets.count(b"\xa0\x03\x02\x01\x02\x02\x01\x03") == 1
    changed = octets.replace(b"\x02\x01\x02\x02\x01\x03", b"\x02\x01\x02\x02\x01\x00")
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        with pytest.raises(Malformed if strict else Untrusted):
            chain.verify((changed,), root=ROOT.certificate, role=Role.ISSUER, now=NOW)


def test_a_certificate_of_version_1_is_refused() -> None:
    octets = bytearray(der(certificates.leaf(ROOT)))
    version = bytes.fromhex("a003020102")
    outer, inner = int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[6:8], "big")
    assert octets[8:13] == version
    octets[2:4] = (outer - len(version)).to_bytes(2, "big")
    octets[6:8] = (inner - len(version)).to_bytes(2, "big")
    del octets[8:13]
    with pytest.raises(Untrusted):
        chain.verify((bytes(octets),), root=ROOT.certificate, role=Role.ISSUER, now=NOW)


def test_a_key_on_a_curve_that_nobody_knows_is_malformed() -> None:
    octets = der(certificates.leaf(ROOT))
    changed = octets.replace(P256_OID, PRIME239V3_OID)
    assert changed != octets
    with pytest.raises(Malformed):
        chain.verify((changed,), root=ROOT.certificate, role=Role.ISSUER, now=NOW)


def test_asking_for_an_authority_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="role of a leaf"):
        verify(OFFICE.certificate, role=Role.INTERMEDIATE)


def test_a_root_signs_itself_with_ed25519() -> None:
    assert chain.load_root(der(ROOT.certificate)) == ROOT.certificate
    pieces = certificates.authority_extensions(1).values()
    not_itself = certificates.sign(pieces, ROOT, key=certificates.ed("other").public_key())
    on_p256 = certificates.sign(pieces, ROOT, key=LEAF_KEY)
    for certificate in (OFFICE.certificate, certificates.leaf(ROOT), not_itself, on_p256):
        with pytest.raises(Untrusted):
            chain.load_root(der(certificate))
