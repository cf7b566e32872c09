"""What holds for all claims, all frames and all choices."""

import random  # noqa: TID251 - hypothesis lends it, seeded
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import CryptoError
from crypto.sdjwt import issue, present, sd_jwt, verify
from crypto.sdjwt.disclosure import ALWAYS_VISIBLE, RESERVED, Path
from tests.fakes import sd_jwts

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4
).filter(lambda name: name not in RESERVED | ALWAYS_VISIBLE)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(st.characters(codec="utf-8"), max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3),
    max_leaves=8,
)
claim_sets = st.dictionaries(names, values, min_size=1, max_size=4)


def paths_of(value: Any, path: Path = ()) -> list[Path]:
    below = value.items() if isinstance(value, dict) else []
    if isinstance(value, list):
        below = list(enumerate(value))
    found = [path] if path else []
    for key, member in below:
        found += paths_of(member, (*path, key))
    return found


def pruned(value: Any, hidden: set[Path], path: Path = ()) -> Any:
    """Say what a verifier must see, by simpler means than the code under test."""
    if isinstance(value, dict):
        return {
            name: pruned(member, hidden, (*path, name))
            for name, member in value.items()
            if (*path, name) not in hidden
        }
    if isinstance(value, list):
        return [
            pruned(item, hidden, (*path, at))
            for at, item in enumerate(value)
            if (*path, at) not in hidden
        ]
    return value


@st.composite
def credentials(draw: st.DrawFn) -> tuple[dict[str, Any], set[Path], str]:
    claims = draw(claim_sets)
    disclosable = draw(st.sets(st.sampled_from(paths_of(claims))))
    frame = issue.Frame(disclosable=frozenset(disclosable), decoys=draw(st.integers(0, 2)))
    return claims, disclosable, sd_jwts.credential(claims, frame)


def parsed(text: str) -> sd_jwt.SdJwt:
    found = sd_jwt.parse(text)
    assert isinstance(found, sd_jwt.SdJwt)
    return found


@settings(deadline=None, max_examples=60)
@given(credentials(), st.data())
def test_any_subset_of_claims_can_be_shown(
    made: tuple[dict[str, Any], set[Path], str], data: st.DataObject
) -> None:
    claims, disclosable, text = made
    chosen = (
        data.draw(st.sets(st.sampled_from(sorted(disclosable, key=repr)))) if disclosable else set()
    )
    shown = {path[:length] for path in chosen for length in range(1, len(path) + 1)}
    verified = sd_jwts.check(sd_jwts.bind(present.present(parsed(text), paths=chosen)))
    assert verified.claims == {**pruned(claims, disclosable - shown), "cnf": sd_jwts.CNF}


@settings(deadline=None, max_examples=40)
@given(credentials(), st.randoms(use_true_random=False))
def test_the_order_of_disclosures_does_not_matter(
    made: tuple[dict[str, Any], set[Path], str], chance: random.Random
) -> None:
    credential = parsed(made[2])
    shuffled = list(credential.disclosures)
    chance.shuffle(shuffled)
    text = sd_jwt.write(credential.issuer_jwt, shuffled)
    assert sd_jwts.check(sd_jwts.bind(text)).claims == {**made[0], "cnf": sd_jwts.CNF}


@settings(deadline=None, max_examples=40)
@given(credentials())
def test_what_is_parsed_is_written_back_as_the_very_same_text(
    made: tuple[dict[str, Any], set[Path], str],
) -> None:
    credential = parsed(made[2])
    assert sd_jwt.write(credential.issuer_jwt, credential.disclosures) == made[2]
    assert set(present.disclosable(credential)) == made[1]
    assert present.present(credential, paths=made[1]) == made[2]


@settings(deadline=None, max_examples=40)
@given(credentials(), st.data())
def test_a_disclosure_left_out_after_the_answer_is_refused(
    made: tuple[dict[str, Any], set[Path], str], data: st.DataObject
) -> None:
    credential = parsed(made[2])
    if not credential.disclosures:
        return
    dropped = data.draw(st.sampled_from(credential.disclosures))
    with pytest.raises(CryptoError):
        sd_jwts.check(sd_jwts.bind(made[2]).replace(f"~{dropped}~", "~", 1))


PRESENTATION = sd_jwts.presentation()


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(PRESENTATION) - 1), st.integers(0, 127))
def test_every_single_byte_change_is_refused(at: int, byte: int) -> None:
    changed = PRESENTATION[:at] + chr(byte) + PRESENTATION[at + 1 :]
    if changed != PRESENTATION:
        with pytest.raises(CryptoError):
            sd_jwts.check(changed)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(PRESENTATION)), st.integers(0, 40))
def test_every_cut_is_refused(start: int, count: int) -> None:
    cut = PRESENTATION[:start] + PRESENTATION[start + count :]
    if cut != PRESENTATION:
        with pytest.raises(CryptoError):
            sd_jwts.check(cut)


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="~.eyJAB_-=[]{} \0é", max_size=60))
def test_any_text_is_refused_without_other_errors(text: str) -> None:
    with pytest.raises(CryptoError):
        sd_jwts.check(text)


@settings(deadline=None, max_examples=100)
@given(
    st.recursive(
        st.none() | st.integers(0, 1) | st.sampled_from(["x", sd_jwts.digest("AA")]),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(["_sd", "...", "_sd_alg", "a", "cnf"]), below, max_size=3
            )
        ),
        max_leaves=10,
    ),
    st.lists(st.sampled_from(["AA", "W10", sd_jwts.disclose("s", "a", 1)]), max_size=2),
)
def test_any_signed_payload_is_accepted_or_refused_without_other_errors(
    payload: Any, disclosures: list[str]
) -> None:
    text = sd_jwts.issued({"p": payload}, disclosures)
    try:
        verify.verify_issued(sd_jwt.parse(text), issuer_key=sd_jwts.ISSUER_KEY)
    except CryptoError:
        return
