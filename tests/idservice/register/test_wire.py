"""One spelling for each entry, and no room for anything else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed
from idservice.register import change, entry, wire
from idservice.register.change import Change, Drop, Inventory
from idservice.register.entry import Enactment, Entry
from tests.fakes import registers
from tests.fakes.register_samples import CHANGES, ENTRIES, NOTE, SAID, STATEMENT, VOTE


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: each.type)
def test_entry_is_read_as_it_was_written(each: Entry) -> None:
    octets = wire.write(each)
    assert wire.parse(octets) == each
    assert wire.write(wire.parse(octets)) == octets


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: each.type)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_another_member_one_less_or_one_of_another_type_is_refused(
    each: Entry, data: st.DataObject
) -> None:
    said = canonical_json.parse_object(wire.write(each))
    where: JsonObject = said
    while True:
        name = data.draw(st.sampled_from(sorted(where)))
        inner = where[name]
        # Free members: a notice's languages, and what a period announces (`trust.parse`).
        if (
            not isinstance(inner, dict)
            or name in {"notice", "announced"}
            or data.draw(st.booleans())
        ):
            break
        where = inner
    match data.draw(st.sampled_from(["less", "more", "other"])):
        case "less":
            del where[name]
        case "more":
            where[name + "x"] = "Ada Okonkwo"
        case _:
            where[name] = [{"name": "Ada Okonkwo"}]
    with pytest.raises(CryptoError):
        wire.parse(canonical_json.serialize(said))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"null",
        b"{}",
        b'{"type":"rumour"}',
        b'{"type":null}',
        b'{"type":"comment","type":"comment"}',
        b'{ "type":"comment"}',
        b'{"type":"comment","proposal":"","comment":""}',
        b'{"x":"' + b"a" * wire.LONGEST + b'"}',
    ],
)
def test_what_is_no_entry_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse(octets)


def changed(said: Change, **members: object) -> JsonObject:
    written = change.write(said)
    body = written[said.kind]
    assert isinstance(body, dict)
    return {"kind": said.kind, said.kind: {**body, **members}}  # type: ignore[dict-item]  # tests


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "rumour"},
        {"kind": "suspend_issuing", "x": 1},
        {"kind": "policy"},
        {"kind": "policy", "policy": {**registers.policy_json(), "purpose": "advertising"}},
        {"kind": "policy", "policy": {**registers.policy_json(), "pseudonym": None}},
        changed(CHANGES[1], claim="immigration_status"),
        changed(Inventory(digest=SAID, columns=()), columns=["b", "a"]),
        changed(Inventory(digest=SAID, columns=()), columns=["a", "a"]),
        changed(Inventory(digest=SAID, columns=()), columns=["Ada Okonkwo"]),
        changed(Drop(subject="policy:x"), subject="charter"),
        changed(Drop(subject="policy:x"), subject="issuing"),
        changed(CHANGES[-2], routine=["policy"]),
        changed(CHANGES[-2], routine=[]),
        changed(CHANGES[-2], most=0),
        changed(CHANGES[2], format="mso_mdoc"),
        changed(CHANGES[2], vct="about Ada Okonkwo"),
        changed(CHANGES[2], x5c=["A" * change.LONGEST_ANNOUNCEMENT]),
    ],
)
def test_changes_that_may_not_be(said: JsonObject) -> None:
    with pytest.raises(CryptoError):
        change.parse(said)


def test_an_enactment_has_votes_and_not_too_many() -> None:
    one = Enactment(statement=STATEMENT, c1=None, c2=NOTE, votes=(VOTE,) * entry.MOST_VOTES)
    wire.parse(wire.write(one))
    for votes in ((), (*one.votes, VOTE)):
        with pytest.raises(Malformed):
            wire.parse(wire.write(replace(one, votes=votes)))


def test_a_comment_has_a_salt_and_a_limit() -> None:
    with pytest.raises(ValueError, match="salt"):
        entry.comment_digest("text", salt=b"")
    with pytest.raises(ValueError, match="limit"):
        entry.comment_digest("x" * (entry.LONGEST_COMMENT + 1), salt=bytes(32))


@pytest.mark.parametrize(
    ("each", "changed"),
    [
        (ENTRIES[0], {"founding": [{}] * (entry.MOST_FOUNDING + 1)}),
        (ENTRIES[1], {"vote": ["council-1"]}),
        (ENTRIES[1], {"vote": ["Ada Okonkwo", "A" * 86]}),
        (ENTRIES[1], {"vote": ["council-1", "AAAA"]}),
        (ENTRIES[-3], {"reason": "because"}),
        (ENTRIES[-1], {"checkpoint": "no note"}),
    ],
)
def test_members_that_may_not_be(each: Entry, changed: JsonObject) -> None:
    said = canonical_json.parse_object(wire.write(each))
    assert said.keys() >= changed.keys()
    with pytest.raises(Malformed):
        wire.parse(canonical_json.serialize({**said, **changed}))
