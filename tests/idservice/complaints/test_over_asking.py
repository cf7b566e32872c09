"""A complaint proves itself, or is refused: the verifier's signature, the policy, the excess."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.encoding import canonical_json, members
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import BadSignature, CryptoError, Expired, Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from idservice import catalogue
from idservice.complaints import over_asking
from idservice.complaints.over_asking import Excess, Kind, OverAsking
from idservice.verification.policy import Policy
from tests.fakes import city as cities
from tests.fakes import over_asking as requests
from tests.fakes.certificates import p256
from tests.fakes.city import FakeCity


@pytest.fixture(scope="module")
def city() -> FakeCity:
    return cities.make()


def prove(city: FakeCity, file: bytes, *versions: Policy, now: int = cities.NOW) -> OverAsking:
    return over_asking.prove(
        file,
        root=city.trust.root,
        policies=versions or tuple(city.policies.values()),
        now=UnixSeconds(now),
    )


def complaint(city: FakeCity, request: str, policy: str | None = "library-card") -> bytes:
    known = None if policy is None else city.policies[policy]
    return over_asking.write(request, known=known)


Make = Callable[[FakeCity], str]


def asking(*facts: str, options: tuple[tuple[str, ...], ...] = ()) -> Make:
    return lambda city: requests.asking(city.verifiers["library"], *facts, options=options)


def changed(**changes: object) -> Make:
    library = "library"
    return lambda city: requests.sign(
        city.verifiers[library], requests.payload(city.verifiers[library], **changes)
    )


def twice(city: FakeCity) -> str:
    """Ask for two credentials, each within the policy."""
    said = requests.payload(city.verifiers["library"])
    query = members.any_object(said["dcql_query"])
    one = members.any_object(members.array(query["credentials"])[0])
    query["credentials"] = [one, {**one, "id": "another"}]
    return requests.sign(city.verifiers["library"], said)


@pytest.mark.parametrize(
    ("make", "policy", "excess"),
    [
        (asking("resident", "birth_date"), "library-card", [(Kind.FACTS, "birth_date")]),
        (
            asking("resident", "address.street_address", "birth_date"),
            "library-card",
            [(Kind.FACTS, "birth_date", "address.street_address")],
        ),
        (asking("resident", "shoe_size"), "library-card", [(Kind.FACTS, over_asking.OUTSIDE)]),
        (asking("renewal_handle"), "library-card", [(Kind.FACTS, "renewal_handle")]),
        (asking("resident", "given_name"), "library-card", [(Kind.INSISTS, "given_name")]),
        (
            asking("resident", "given_name", "gender", options=(("given_name", "gender"),)),
            "library-card",
            [(Kind.FACTS, "gender"), (Kind.INSISTS, "given_name")],
        ),
        (
            changed(vct_values=("https://elsewhere.example/card",)),
            "library-card",
            [(Kind.CREDENTIAL,)],
        ),
        (twice, "library-card", [(Kind.CREDENTIAL,)]),
        (changed(format="mso_mdoc"), "library-card", [(Kind.FORMAT,)]),
        (changed(policy="bar-entry"), "bar-entry", [(Kind.OTHERS_POLICY,)]),
        (changed(policy="never-proposed"), None, [(Kind.UNKNOWN_POLICY,)]),
        (requests.unnamed, None, [(Kind.NO_POLICY,)]),
    ],
)
def test_what_exceeds_the_policy_is_proved_and_named(
    city: FakeCity, make: Make, policy: str | None, excess: list[tuple[Kind, *tuple[str, ...]]]
) -> None:
    proved = prove(city, complaint(city, make(city), policy))
    assert proved == OverAsking(
        verifier="Exampleton Library",
        policy=policy,
        excess=tuple(Excess(kind=kind, claims=tuple(claims)) for kind, *claims in excess),
    )
    assert all(over_asking.words(each) for each in proved.excess)


@pytest.mark.parametrize(
    "make",
    [
        asking("resident"),
        asking("resident", "given_name", options=(("resident", "given_name"), ("resident",))),
        changed(),
    ],
)
def test_a_request_within_its_policy_is_no_over_asking(city: FakeCity, make: Make) -> None:
    with pytest.raises(Refused):
        prove(city, complaint(city, make(city)))


def test_a_request_within_an_earlier_version_of_its_policy_is_no_over_asking(
    city: FakeCity,
) -> None:
    narrow = city.policies["library-card"]
    wide = replace(narrow, optional=("given_name", "locality"))
    file = over_asking.write(
        requests.asking(
            city.verifiers["library"], "resident", "locality", options=(("resident",),)
        ),
        known=narrow,
    )
    assert prove(city, file, narrow).policy == narrow.id
    with pytest.raises(Refused):
        prove(city, file, wide, narrow)


def test_a_policy_that_the_complainant_made_up_is_refused(city: FakeCity) -> None:
    narrower = replace(city.policies["library-card"], optional=())
    request = requests.asking(city.verifiers["library"], "resident", "given_name")
    with pytest.raises(Refused):
        prove(city, over_asking.write(request, known=narrower))


def test_a_request_signed_by_somebody_else_proves_nothing(city: FakeCity) -> None:
    library = city.verifiers["library"]
    over = requests.payload(library, policy="bar-entry")
    forged = replace(library, key=p256("a stranger"))
    with pytest.raises(BadSignature):
        prove(city, complaint(city, requests.sign(forged, over), "bar-entry"))
    borrowed = replace(city.verifiers["bank"], key=library.key, x5c=library.x5c)
    with pytest.raises(Refused):
        prove(city, complaint(city, requests.sign(borrowed, requests.payload(borrowed)), None))


def test_another_citys_verifier_proves_nothing(city: FakeCity) -> None:
    stranger = replace(city.verifiers["library"], x5c=list(city.metadata_x5c))
    with pytest.raises(Untrusted):
        prove(city, complaint(city, requests.sign(stranger, requests.payload(stranger)), None))


def test_a_request_under_an_ended_certificate_is_refused(city: FakeCity) -> None:
    file = complaint(city, requests.asking(city.verifiers["library"], "birth_date"))
    with pytest.raises(Expired):
        prove(city, file, now=cities.NOW + 5000 * 86_400)


def _with(**changes: object) -> Callable[[JsonObject], bytes]:
    return lambda given: canonical_json.serialize({**given, **changes})  # type: ignore[dict-item]  # tests put anything there


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _given: b"",
        lambda _given: b"[]",
        lambda _given: b"{" * 100_000,
        lambda given: canonical_json.serialize(given) + b" " * over_asking.LARGEST_FILE,
        _with(type="idservice-bundle"),
        _with(note="somebody's words"),
        _with(request=7),
        _with(request="a.b"),
        _with(request="a" * 70_000),
        _with(policy="library-card"),
        _with(policy={}),
    ],
)
def test_what_is_no_complaint_is_malformed(
    city: FakeCity, spoil: Callable[[JsonObject], bytes]
) -> None:
    file = complaint(city, requests.asking(city.verifiers["library"], "birth_date"))
    prove(city, file)
    with pytest.raises(Malformed):
        prove(city, spoil(canonical_json.parse_object(file)))


def test_every_changed_character_of_the_request_is_refused(city: FakeCity) -> None:
    request = requests.asking(city.verifiers["library"], "birth_date")
    known = city.policies["library-card"]
    for place in range(0, len(request), 61):
        other = "A" if request[place] != "A" else "B"
        spoiled = request[:place] + other + request[place + 1 :]
        with pytest.raises(CryptoError):
            prove(city, over_asking.write(spoiled, known=known))


def test_the_file_holds_nothing_of_the_holder(city: FakeCity) -> None:
    file = complaint(city, requests.asking(city.verifiers["library"], "birth_date"))
    assert set(canonical_json.parse_object(file)) == {"type", "request", "policy"}
    for value in cities.RESIDENT.values():
        if isinstance(value, str) and value != "Exampleton":
            assert value.encode() not in file
    assert "which visit" in over_asking.WARNING
    assert all(kind in over_asking.WORDS for kind in Kind)
    assert over_asking.OUTSIDE not in catalogue.CLAIMS
