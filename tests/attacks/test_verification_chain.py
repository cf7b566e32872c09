"""Rows of the corpus about whose key signs: chains, roots and what was announced.

Each attack has its twin: the same presentation without the one thing that is wrong is accepted.
"""

import dataclasses
from typing import Any

import pytest
from cryptography import x509

from crypto.encoding import base64url, canonical_json
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.x509 import issue as x509_issue
from crypto.x509 import x5c
from crypto.x509.issue import Authority, Validity
from crypto.x509.profile import Names, Role
from idservice import period
from idservice.errors import Refusal
from tests.fakes import certificates
from tests.fakes import city as cities
from tests.fakes.showing import Counter, counter, show

CITY = cities.make()
ANNOUNCED = CITY.announced
LIBRARY = counter(CITY)
ISSUER_KEY = CITY.issuer_keys[CITY.period]
GENEROUS = Validity(
    not_before=UnixSeconds(CITY.now - period.DAY), not_after=UnixSeconds(CITY.now + period.DAY)
)


def accepted_before_and_after(presentation: str, *, now: int | None = None) -> Refusal | None:
    """Return the code; an honest presentation is accepted before and after, so nothing changed."""
    honest = show(CITY, "resident")
    assert LIBRARY.refusal(honest) is None
    code = LIBRARY.refusal(presentation, now=now)
    assert LIBRARY.refusal(honest) is None
    return code


def leaf(**changes: Any) -> x509.Certificate:
    return x509_issue.leaf_certificate(
        **{
            "role": Role.ISSUER,
            "public_key": ISSUER_KEY.public_key(),
            "authority": CITY.root,
            "common_name": "Exampleton issuer",
            "names": Names(uris=(CITY.issuer,)),
            "validity": GENEROUS,
            "serial": 77,
            **changes,
        }
    )


def chain(*path: x509.Certificate) -> dict[str, Any]:
    return {"header": {"x5c": x5c.encode(path)}}


def announcing(*path: x509.Certificate) -> Counter:
    """Open a counter whose bundle announces just this chain, so that only the chain decides."""
    der = tuple(certificates.der(each) for each in path)
    announced = dataclasses.replace(ANNOUNCED, x5c=der, x5c_text=tuple(map(str, x5c.encode(path))))
    trust = dataclasses.replace(CITY.trust, announced=(announced,))
    return dataclasses.replace(LIBRARY, city=dataclasses.replace(CITY, trust=trust))


STRANGERS_ROOT = certificates.root("another root", GENEROUS)
INTERMEDIATE = certificates.intermediate(CITY.root, GENEROUS)
EXPIRED = Validity(
    not_before=UnixSeconds(CITY.now - period.DAY), not_after=UnixSeconds(CITY.now - 1)
)
FUTURE = Validity(
    not_before=UnixSeconds(CITY.now + 1), not_after=UnixSeconds(CITY.now + period.DAY)
)
SELF = Authority(certificate=STRANGERS_ROOT.certificate, key=STRANGERS_ROOT.key)

CHAINS: dict[str, tuple[tuple[x509.Certificate, ...], Refusal]] = {
    "self-signed leaf": ((STRANGERS_ROOT.certificate,), Refusal.UNTRUSTED_ISSUER),
    "unknown root": ((leaf(authority=SELF),), Refusal.UNTRUSTED_ISSUER),
    "expired leaf": ((leaf(validity=EXPIRED),), Refusal.EXPIRED),
    "leaf not yet valid": ((leaf(validity=FUTURE),), Refusal.NOT_YET_VALID),
    "an authority as leaf": ((INTERMEDIATE.certificate,), Refusal.UNTRUSTED_ISSUER),
    "wrong purpose": ((leaf(role=Role.STATUS),), Refusal.UNTRUSTED_ISSUER),
    "name of another issuer": (
        (leaf(names=Names(uris=("https://other.example",))),),
        Refusal.UNTRUSTED_ISSUER,
    ),
    "reordered": (
        (INTERMEDIATE.certificate, leaf(authority=INTERMEDIATE)),
        Refusal.UNTRUSTED_ISSUER,
    ),
    "three certificates": ((leaf(),) * 3, Refusal.UNTRUSTED_ISSUER),
    "the root inside": ((leaf(), CITY.root.certificate), Refusal.UNTRUSTED_ISSUER),
}


@pytest.mark.attack("SDJWT-012")
@pytest.mark.parametrize(("path", "code"), CHAINS.values(), ids=CHAINS)
def test_a_chain_that_does_not_lead_to_the_root_is_refused(
    path: tuple[x509.Certificate, ...], code: Refusal
) -> None:
    assert announcing(*path).refusal(show(CITY, "resident", **chain(*path))) is code


@pytest.mark.attack("SDJWT-012")
@pytest.mark.parametrize(
    "path",
    [(leaf(),), (leaf(authority=INTERMEDIATE), INTERMEDIATE.certificate)],
    ids=["direct", "by an intermediate"],
)
def test_the_twin_of_each_chain_is_accepted(path: tuple[x509.Certificate, ...]) -> None:
    assert announcing(*path).refusal(show(CITY, "resident", **chain(*path))) is None


@pytest.mark.attack("SDJWT-012")
def test_a_chain_of_fifty_is_not_even_read() -> None:
    honest = show(CITY, "resident")
    header, dot, rest = honest.partition(".")
    members = canonical_json.parse_object(base64url.decode(header))
    members["x5c"] = [*x5c.encode((leaf(),) * 50)]
    longer = base64url.encode(canonical_json.serialize(members))
    assert len(longer) > jws.LARGEST_HEADER
    assert accepted_before_and_after(f"{longer}{dot}{rest}") is Refusal.MALFORMED


@pytest.mark.attack("SDJWT-012")
def test_a_chain_of_the_root_that_was_not_announced_is_refused() -> None:
    assert accepted_before_and_after(show(CITY, "resident", **chain(leaf()))) is (
        Refusal.UNTRUSTED_ISSUER
    )


@pytest.mark.attack("SDJWT-012")
@pytest.mark.parametrize(
    ("member", "code"),
    [
        (None, Refusal.UNTRUSTED_ISSUER),
        ([], Refusal.MALFORMED),
        ("text", Refusal.MALFORMED),
        ([{}], Refusal.MALFORMED),
        ([7], Refusal.MALFORMED),
        (["AAAA"], Refusal.MALFORMED),
        (["AAA"], Refusal.MALFORMED),
    ],
)
def test_a_path_that_is_no_path_is_refused(member: Any, code: Refusal) -> None:
    assert accepted_before_and_after(show(CITY, "resident", header={"x5c": member})) is code
