"""Every published case of BBS, valid and invalid, in both suites."""

import json
from pathlib import Path
from typing import Any

import pytest

from crypto.bbs import generators, proof, signature
from crypto.bbs.ciphersuite import SHA_256, SHAKE_256, Ciphersuite
from crypto.bbs.generators import Interface
from crypto.bls import curve
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError

VECTORS = Path(__file__).parents[2] / "vectors" / "bbs"
SUITES = {"bls12-381-sha-256": SHA_256, "bls12-381-shake-256": SHAKE_256}
CASES = [
    pytest.param(SUITES[path.parent.parent.name], path, id=f"{path.parent.parent.name}-{path.stem}")
    for path in sorted(VECTORS.glob("*/*/*.json"))
]
SIGNATURES = [case for case in CASES if "signature" in str(case.id)]
PROOFS = [case for case in CASES if "proof" in str(case.id)]
fx = bytes.fromhex


def base(suite: Ciphersuite) -> Interface:
    return Interface(suite, signature.BASE)


def load(suite: Ciphersuite, name: str) -> Any:
    folder = next(folder for folder, each in SUITES.items() if each is suite)
    return json.loads((VECTORS / folder / name).read_text())


def replay(scalars: list[str]) -> RandomBytes:
    """Lend the scalars that the case drew."""
    left = iter(scalars)
    return lambda length: fx(next(left)).rjust(length, b"\0")


def test_all_cases_are_here() -> None:
    assert (len(SIGNATURES), len(PROOFS)) == (14, 20)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
def test_a_key_pair_is_derived_as_published(suite: Ciphersuite) -> None:
    case = load(suite, "keypair.json")
    key = signature.derive_key(
        suite, material=fx(case["keyMaterial"]), info=fx(case["keyInfo"]), dst=fx(case["keyDst"])
    )
    assert key.scalar.hex() == case["keyPair"]["secretKey"]
    assert key.public.octets.hex() == case["keyPair"]["publicKey"]
    assert signature.derive_key(suite, material=fx(case["keyMaterial"]), info=fx(case["keyInfo"]))


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
def test_generators_are_those_published(suite: Ciphersuite) -> None:
    case = load(suite, "generators.json")
    made = generators.create(base(suite), len(case["MsgGenerators"]))
    assert suite.p1.hex() == case["P1"]
    assert made.octets.hex() == case["Q1"] + "".join(case["MsgGenerators"])


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
def test_messages_become_the_published_scalars(suite: Ciphersuite) -> None:
    content = load(suite, "MapMessageToScalarAsHash.json")
    for case in content["cases"]:
        message = fx(case["message"])
        assert base(suite).message(message).to_bytes(32, "big").hex() == case["scalar"]
        assert base(suite).secret_message(message).hex() == case["scalar"]


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
def test_the_mocked_chance_of_the_cases_is_what_expanding_gives(suite: Ciphersuite) -> None:
    case = load(suite, "mockedRng.json")
    count = case["count"]
    uniform = suite.expand(fx(case["seed"]), fx(case["dst"]), 48 * count)
    drawn = [uniform[48 * place : 48 * (place + 1)] for place in range(count)]
    reduce = curve.secret().reduce
    assert [reduce(each).hex() for each in drawn] == case["mockedScalars"]


@pytest.mark.parametrize(("suite", "path"), SIGNATURES)
def test_signatures(suite: Ciphersuite, path: Path) -> None:
    case = json.loads(path.read_text())
    messages = [fx(each) for each in case["messages"]]
    key = signature.load_secret_key(fx(case["signerKeyPair"]["secretKey"]))
    public = signature.load_public_key(fx(case["signerKeyPair"]["publicKey"]))
    made = signature.sign(base(suite), secret_key=key, header=fx(case["header"]), messages=messages)
    given = {
        "public_key": public,
        "signature": fx(case["signature"]),
        "header": fx(case["header"]),
        "messages": messages,
    }
    if case["result"]["valid"]:
        assert key.public == public
        assert made.hex() == case["signature"]
        signature.verify(base(suite), **given)
    else:
        with pytest.raises(CryptoError):
            signature.verify(base(suite), **given)


@pytest.mark.parametrize(("suite", "path"), PROOFS)
def test_proofs(suite: Ciphersuite, path: Path) -> None:
    case = json.loads(path.read_text())
    messages = [fx(each) for each in case["messages"]]
    public = signature.load_public_key(fx(case["signerPublicKey"]))
    given = {
        "public_key": public,
        "proof": fx(case["proof"]),
        "header": fx(case["header"]),
        "presentation_header": fx(case["presentationHeader"]),
        "disclosed": {place: messages[place] for place in case["disclosedIndexes"]},
    }
    if not case["result"]["valid"]:
        with pytest.raises(CryptoError):
            proof.verify(base(suite), **given)
        return
    proof.verify(base(suite), **given)
    drawn = case["trace"]["random_scalars"]
    names = ("r1", "r2", "e_tilde", "r1_tilde", "r3_tilde")
    made = proof.prove(
        base(suite),
        public_key=public,
        signature=fx(case["signature"]),
        header=fx(case["header"]),
        presentation_header=fx(case["presentationHeader"]),
        messages=messages,
        disclosed=case["disclosedIndexes"],
        random_bytes=replay([*(drawn[name] for name in names), *drawn["m_tilde_scalars"]]),
    )
    assert made.hex() == case["proof"]
