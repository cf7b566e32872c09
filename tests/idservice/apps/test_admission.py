import hashlib
import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import canonical_json
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.x509 import chain, request
from crypto.x509.profile import Names, Role
from idservice import period
from idservice.apps import admission, city_folder, founding, key_files
from idservice.apps.admission import Admitted, Joining
from idservice.apps.founding import Chances
from idservice.apps.register import publication
from idservice.apps.settings import City, UnusableSettings, Verifier
from idservice.clock import SetClock
from idservice.register import change
from idservice.register.change import PolicyChange
from idservice.verification import trust
from tests.fakes import city as cities
from tests.fakes.certificates import p256
from tests.fakes.registered import Registered

NOW = cities.NOW
CITY = City(name="Exampleton", issuer="https://id.example", languages=["en"])
LIBRARY = Verifier(
    name="City Library",
    base_url="https://library.example",
    client_id_prefix="x509_hash",
    policies=["library-card"],
    api_keys=[],
    redirect_uris=[],
)
WISH = {
    "id": "library-card",
    "verifier": "City Library",
    "purpose": "library_membership",
    "place": "at the counter",
    "required": ["resident"],
    "optional": ["given_name"],
    "retention": "none",
    "erase": None,
    "notice": {"en": "To give you a card."},
    "expires": "2030-01-01",
}


def chances(seed: str) -> Chances:
    return Chances(now=NOW, random_bytes=cities.chance(seed))


@pytest.fixture
def city(tmp_path: Path) -> Path:
    founding.found_city(tmp_path / "city", CITY, residents=1, chances=chances("city"), sandbox=True)
    return tmp_path / "city"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    admission.found_verifier(tmp_path / "library", LIBRARY, chances=chances("library"))
    return tmp_path / "library"


def admit(
    city: Path,
    verifier: Path,
    *wishes: dict[str, object],
    replace: bool = False,
    seed: str = "admit",
) -> Admitted:
    return admission.admit(
        city,
        joining(verifier, *wishes),
        replace=replace,
        chances=chances(seed),
        wait=lambda _seconds: None,
    )


def joining(verifier: Path, *wishes: dict[str, object], certified: bytes | None = None) -> Joining:
    return Joining(
        asked=(verifier / "verifier.csr").read_bytes(),
        wishes=[json.dumps(wish).encode() for wish in wishes],
        certified=certified,
    )


def test_a_verifiers_folder_holds_its_key_and_the_hash_of_an_api_key(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    api_key = admission.found_verifier(folder, LIBRARY, chances=chances("library"))
    told = json.loads((folder / "verifier.json").read_bytes())
    hashed = hashlib.sha256(api_key.encode()).hexdigest()
    assert told == {**LIBRARY.model_dump(), "api_keys": [hashed]}
    assert stat.S_IMODE((folder / "verifier.key").stat().st_mode) == 0o600
    assert (folder / "status").is_dir()
    asked = request.parse((folder / "verifier.csr").read_bytes())
    assert asked.public_key == key_files.read_p256(folder / "verifier.key").public_key()
    assert asked.names == Names(uris=("https://library.example",), dns_names=("library.example",))
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert api_key.encode() not in everything


def test_a_verifier_on_this_machine_is_named_by_its_address(tmp_path: Path) -> None:
    wished = LIBRARY.model_copy(update={"base_url": "http://127.0.0.1:8081"})
    admission.found_verifier(tmp_path / "v", wished, chances=chances("v"))
    asked = request.parse((tmp_path / "v" / "verifier.csr").read_bytes())
    assert asked.names == Names(uris=("http://127.0.0.1:8081",))


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://library.example"},
        {"base_url": "https://library.example/"},
        {"base_url": "https://127.0.0.1", "client_id_prefix": "x509_san_dns"},
        {"base_url": "https://bücherei.example"},
        {"name": ""},
        {"name": "x" * 65},
    ],
)
def test_a_verifier_that_could_not_be_certified_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    wished = LIBRARY.model_copy(update=changes)
    with pytest.raises(UnusableSettings):
        admission.found_verifier(tmp_path / "v", wished, chances=chances("v"))
    assert list(tmp_path.iterdir()) == []


def test_a_verifiers_folder_is_never_overwritten(library: Path) -> None:
    before = (library / "verifier.key").read_bytes()
    with pytest.raises(UnusableSettings, match="not empty"):
        admission.found_verifier(library, LIBRARY, chances=chances("again"))
    assert (library / "verifier.key").read_bytes() == before


def test_an_admitted_verifier_is_certified_and_in_the_bundle(city: Path, library: Path) -> None:
    admitted = admit(city, library, WISH)
    bundle = city_folder.current_bundle(city)
    assert bundle == admitted.bundle
    assert bundle.version == 2
    assert bundle.policies["library-card"] == admitted.policies[0]
    policy = admitted.policies[0]
    assert policy.client_ids == admitted.client_ids
    assert policy.client_ids[1] == "x509_san_dns:library.example"
    assert policy.vct == "https://id.example/vct/resident/1"
    assert policy.formats == ("dc+sd-jwt",)
    der = admitted.certificate.public_bytes(Encoding.DER)
    leaf = chain.verify((der,), root=bundle.root, role=Role.VERIFIER, now=NOW)
    assert leaf.dns_names == ("library.example",)
    assert leaf.not_after - NOW > 600 * period.DAY
    assert leaf.public_key == key_files.read_p256(library / "verifier.key").public_key()


def test_certificate_and_bundle_are_handed_over(city: Path, library: Path) -> None:
    admitted = admit(city, library, WISH)
    published = (city / "issuer" / "bundle.json").read_bytes()
    admission.hand_over(library, admitted, bundle=published)
    pem = (library / "verifier.crt").read_bytes()
    assert x509.load_pem_x509_certificate(pem) == admitted.certificate
    handed = trust.parse(
        (library / "bundle.json").read_bytes(),
        root_fingerprint=admitted.bundle.root_fingerprint,
        at_least_version=2,
    )
    assert handed == admitted.bundle


def test_announcing_keeps_the_policies(city: Path, library: Path) -> None:
    admitted = admit(city, library, WISH, {**WISH, "id": "library-late"})
    later = Chances(now=UnixSeconds(NOW + 28 * period.DAY), random_bytes=cities.chance("l"))
    bundle = founding.announce(city, residents=None, chances=later)
    assert dict(bundle.policies) == {each.id: each for each in admitted.policies}


def test_a_policy_cannot_be_for_another_verifiers_key(city: Path, library: Path) -> None:
    admitted = admit(city, library, {**WISH, "client_ids": ["x509_san_dns:bank.example"]})
    assert "x509_san_dns:bank.example" not in admitted.policies[0].client_ids


def test_an_id_in_force_is_replaced_only_on_demand(city: Path, library: Path) -> None:
    first = admit(city, library, WISH, {**WISH, "id": "other"})
    before = (city / "issuer" / "bundle.json").read_bytes()
    with pytest.raises(UnusableSettings, match="in force"):
        admit(city, library, WISH, seed="again")
    assert (city / "issuer" / "bundle.json").read_bytes() == before
    again = admit(city, library, WISH, replace=True, seed="again")
    assert again.bundle.version == 3
    assert again.bundle.policies["other"] == first.bundle.policies["other"]
    assert again.bundle.policies["library-card"].client_ids == again.client_ids
    assert again.client_ids[0] != first.client_ids[0]


_REFUSED: dict[str, list[object]] = {
    "barred purpose": [{**WISH, "purpose": "advertising"}],
    "beyond its purpose": [{**WISH, "optional": ["birth_date"]}],
    "ended already": [{**WISH, "expires": "2027-01-14"}],
    "one member more": [{**WISH, "more": 1}],
    "the same id twice": [WISH, WISH],
    "an array": [[]],
}


@pytest.mark.parametrize("name", _REFUSED)
def test_a_policy_that_may_not_be_changes_nothing(city: Path, library: Path, name: str) -> None:
    before = (city / "issuer" / "bundle.json").read_bytes()
    with pytest.raises(UnusableSettings):
        admit(city, library, *_REFUSED[name])
    assert (city / "issuer" / "bundle.json").read_bytes() == before


def test_a_request_that_is_none_changes_nothing(city: Path, tmp_path: Path) -> None:
    before = (city / "issuer" / "bundle.json").read_bytes()
    nameless = request.make(key=p256("x"), common_name="Nobody", names=Names())
    reversed_name = request.make(
        key=p256("x"), common_name="\u202eknaB", names=Names(uris=("https://bank.example",))
    )
    for asked in (b"", b"-----BEGIN CERTIFICATE REQUEST-----", nameless, reversed_name):
        (tmp_path / "verifier.csr").write_bytes(asked)
        with pytest.raises((UnusableSettings, Malformed)):
            admit(city, tmp_path, WISH)
    assert (city / "issuer" / "bundle.json").read_bytes() == before


def test_in_a_city_that_is_no_sandbox_a_policy_waits_for_its_board(
    tmp_path: Path, library: Path
) -> None:
    city = tmp_path / "city"
    founding.found_city(city, CITY, residents=1, chances=chances("city"))
    first = admit(city, library, WISH)
    assert [each.id for each in first.waiting] == ["library-card"]
    assert first.bundle.policies == {}
    (path,) = admission.write_proposals(library, first)
    proposed = change.parse(canonical_json.parse(path.read_bytes()))
    assert proposed == PolicyChange(policy=first.policies[0])
    admission.hand_over(library, first, bundle=(city / "issuer" / "bundle.json").read_bytes())
    enacted = Registered(folder=city, made=cities.make(), clock=SetClock(NOW))
    with enacted.opened() as held:
        enacted.road(held).decide(proposed)
    again = admission.admit(
        city,
        joining(library, WISH, certified=(library / "verifier.crt").read_bytes()),
        replace=False,
        chances=Chances(now=enacted.clock.now(), random_bytes=cities.chance("again")),
        wait=lambda _seconds: None,
    )
    assert again.waiting == ()
    assert again.certificate == first.certificate
    assert again.bundle.policies == {"library-card": first.policies[0]}
    assert admission.write_proposals(library, again) == []


def test_a_certificate_is_taken_up_by_its_own_verifier_only(city: Path, library: Path) -> None:
    first = admit(city, library, WISH)
    pem = first.certificate.public_bytes(Encoding.PEM)
    admission.found_verifier(library.parent / "other", LIBRARY, chances=chances("other"))
    for verifier, certified, word in (
        (library.parent / "other", pem, "another key"),
        (library, b"none", "not this city's"),
        (library, (city / "root" / "root.crt").read_bytes(), "not this city's"),
    ):
        with pytest.raises(UnusableSettings, match=word):
            admission.admit(
                city,
                joining(verifier, WISH, certified=certified),
                replace=True,
                chances=chances("again"),
                wait=lambda _seconds: None,
            )


def test_verifiers_are_admitted_by_entry_0(tmp_path: Path, library: Path) -> None:
    city = tmp_path / "city"
    other = {**WISH, "id": "other"}
    (admitted,) = admission.found_city(
        city, CITY, [joining(library, WISH, other)], residents=1, chances=chances("city")
    )
    assert admitted.waiting == ()
    assert set(admitted.bundle.policies) == {"library-card", "other"}
    assert city_folder.current_bundle(city) == admitted.bundle
    in_force = publication.read(city, now=NOW).in_force
    assert not in_force.sandbox
    assert in_force.records["policy:library-card"].entries == (0,)


def test_two_founding_verifiers_cannot_have_one_policy_id(tmp_path: Path, library: Path) -> None:
    with pytest.raises(UnusableSettings, match="same id"):
        admission.found_city(
            tmp_path / "city",
            CITY,
            [joining(library, WISH), joining(library, WISH)],
            residents=1,
            chances=chances("city"),
        )
    assert not (tmp_path / "city").exists()
