"""The examples of RFC 9901 and SD-JWT VC, and the cases of the reference implementation.

Left out: the JSON serialisations (RFC 9901, section 8), which are refused; type metadata and
issuer metadata (SD-JWT VC, sections 4 and 5), which nothing here fetches.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crypto.errors import Malformed
from crypto.jose import jwk, jws
from crypto.sdjwt import disclosure, issue, key_binding, present, sd_jwt, verify
from crypto.sdjwt.disclosure import Path as ClaimPath
from tests.fakes import sd_jwts

VECTORS = Path(__file__).parents[2] / "vectors"
EXAMPLES = sorted([*VECTORS.glob("sd-jwt/*.json"), *VECTORS.glob("sd-jwt-vc/*.json")])


def items(kind: str) -> Iterator[Any]:
    for path in EXAMPLES:
        for section, example in json.loads(path.read_text()).items():
            for at, item in enumerate(example["items"]):
                if item["kind"] == kind:
                    yield pytest.param(example, item, id=f"{path.stem}-{section}-{at}")


@pytest.mark.parametrize(("example", "item"), [*items("disclosure")])
def test_published_disclosures_parse_and_hash(example: Any, item: Any) -> None:
    salt, name, value = disclosure.parse(item["disclosure"])
    array = [salt, value] if name is None else [salt, name, value]
    assert array == item["contents"], example["title"]
    assert disclosure.digest(item["disclosure"]) == item["digest"]


@pytest.mark.parametrize(("example", "item"), [*items("compact")])
def test_published_sd_jwts_verify(example: Any, item: Any) -> None:
    text, typ = item["value"], item["issuer_jwt_header"]["typ"]
    issuer_key = jwk.parse_public(example["issuer_public_jwk"])
    if "~" not in text:
        token = jws.verify(text, key=issuer_key, algorithm="ES256", typ=typ)
        assert json.loads(token.payload) == item["issuer_jwt_payload"]
        return
    parsed = sd_jwt.parse(text)
    if "kb_jwt" in item:
        answer = item["kb_jwt"]["payload"]
        verified = verify.verify(
            parsed,
            issuer_key=issuer_key,
            typ=typ,
            audience=answer["aud"],
            nonce=answer["nonce"],
            now=answer["iat"],
        )
        assert verified.claims == item["processed_payload_computed"]
        assert jwk.public_jwk(verified.holder) == verified.claims["cnf"]["jwk"]
    else:
        issued = verify.verify_issued(parsed, issuer_key=issuer_key, typ=typ)
        assert issued.claims == item["processed_payload_computed"]


def test_published_examples_are_all_there() -> None:
    assert len(list(items("compact"))) == 9
    assert len(list(items("disclosure"))) >= 60


def test_sec8_the_json_serialisation_is_refused() -> None:
    example = json.loads((VECTORS / "sd-jwt" / "rfc9901-sec8.2-flattened-json.json").read_text())
    for item in example["8.2"]["items"]:
        with pytest.raises(Malformed):
            sd_jwt.parse(json.dumps(item["value"]))


class Hidden:
    """A key or an element that a case marks as disclosable."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self.value == other.value


class CaseLoader(yaml.SafeLoader):
    """Reads the reference implementation's `!sd` tag."""


def construct_hidden(loader: CaseLoader, node: yaml.Node) -> Hidden:
    if isinstance(node, yaml.ScalarNode):
        # The tag hides what the scalar would have been without it.
        tag = loader.resolve(yaml.ScalarNode, node.value, (node.style is None, False))
        return Hidden(loader.construct_object(yaml.ScalarNode(tag, node.value)))
    if isinstance(node, yaml.SequenceNode):
        return Hidden(loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.MappingNode)
    return Hidden(loader.construct_mapping(node, deep=True))


CaseLoader.add_constructor("!sd", construct_hidden)


def split(value: Any, path: ClaimPath, hidden: set[ClaimPath]) -> Any:
    """Take the marks off a case's claims, and note where they stood."""
    if isinstance(value, Hidden):
        hidden.add(path)
        return split(value.value, path, hidden)
    if isinstance(value, list):
        return [split(item, (*path, at), hidden) for at, item in enumerate(value)]
    if isinstance(value, dict):
        plain = {}
        for key, member in value.items():
            name = key.value if isinstance(key, Hidden) else key
            if isinstance(key, Hidden):
                hidden.add((*path, name))
            plain[name] = split(member, (*path, name), hidden)
        return plain
    return value


def chosen(choice: Any, path: ClaimPath = ()) -> Iterator[ClaimPath]:
    """List what a case's holder shows."""
    if choice not in (None, False):
        yield path
    below = enumerate(choice) if isinstance(choice, list) else []
    for key, member in choice.items() if isinstance(choice, dict) else below:
        yield from chosen(member, (*path, key))


CASES = sorted(
    path
    for folder in (
        "sd-jwt/spec-cases",
        "sd-jwt/sd-jwt-python-testcases",
        "sd-jwt-vc/spec-cases",
    )
    for path in (VECTORS / folder).glob("*.yml")
    if path.name != "settings.yml"
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_cases_of_the_reference_implementation(path: Path) -> None:
    case = yaml.load(path.read_text(), Loader=CaseLoader)  # noqa: S506 - a SafeLoader with one tag more
    hidden: set[ClaimPath] = set()
    claims = split(case["user_claims"], (), hidden)
    claims.pop("cnf", None)
    decoys = 3 if case.get("add_decoy_claims") else 0
    bound = case.get("key_binding", False)
    text = issue.issue(
        header={**sd_jwts.HEADER, **case.get("extra_header_parameters", {})},
        claims=claims,
        frame=issue.Frame(disclosable=frozenset(hidden), decoys=decoys),
        holder=sd_jwts.HOLDER.public_key() if bound else None,
        signer=jws.es256_signer(sd_jwts.ISSUER),
        random_bytes=sd_jwts.stream(path.name),
    )
    credential = sd_jwt.parse(text)
    assert isinstance(credential, sd_jwt.SdJwt)
    assert set(present.disclosable(credential)) == hidden
    issued = verify.verify_issued(credential, issuer_key=sd_jwts.ISSUER_KEY).claims
    issued.pop("cnf", None)
    assert issued == claims

    shown = present.present(
        credential, paths=hidden.intersection(chosen(case["holder_disclosed_claims"]))
    )
    if bound:
        verified = sd_jwts.check(sd_jwts.bind(shown)).claims
        del verified["cnf"]
    else:
        parsed = sd_jwt.parse(shown)
        verified = verify.verify_issued(parsed, issuer_key=sd_jwts.ISSUER_KEY).claims
    if "expect_verified_user_claims" in case:
        assert verified == case["expect_verified_user_claims"]


def test_the_kb_jwt_of_section_5_2_is_what_we_would_hash() -> None:
    example = json.loads((VECTORS / "sd-jwt" / "rfc9901-sec5-main-example.json").read_text())
    (item,) = (item for item in example["5.2"]["items"] if item["kind"] == "compact")
    parsed = sd_jwt.parse(item["value"])
    assert isinstance(parsed, sd_jwt.SdJwtWithKeyBinding)
    assert disclosure.digest(parsed.bound) == item["kb_jwt"]["payload"]["sd_hash"]
    assert parsed.key_binding.header == {"alg": "ES256", "typ": key_binding.TYP}
