"""One file says what is in force, and proves it offline."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError, Expired, Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.log import partial, proof, tree
from idservice.period import DAY
from idservice.register import bundle, entry
from idservice.register.bundle import Loaded, Seen
from idservice.register.change import Drop, PolicyChange
from idservice.register.entry import Comment, Summary
from idservice.register.state import Reason
from idservice.verification import policy, trust
from tests.fakes import city, registers
from tests.fakes.registers import City

MADE = city.make()
REGISTER = registers.of_city(MADE)
PIN = entry.entry_digest(REGISTER.entries[0])
DATA = registers.bundled(MADE, REGISTER)
SAID = b"\2" * 32


def load(data: bytes = DATA, *, seen: Seen | None = None, now: int = MADE.now) -> Loaded:
    return bundle.load(data, pin=PIN, seen=seen, now=UnixSeconds(now))


def grown(*, comments: int = 300) -> City:
    """Return the register with many entries that decide nothing, and a summary after them."""
    more = copy(REGISTER)
    proposal = more.propose(registers.policy_change("never-enacted"))
    for number in range(comments):
        said = entry.comment_digest(str(number), salt=bytes(32))
        more.append(Comment(proposal=proposal, comment=said))
    more.summarise()
    return more


def copy(register: City) -> City:
    return replaced(register, [*register.entries])


def replaced(register: City, entries: list[bytes]) -> City:
    made = City(charter=register.charter, founding=register.founding, now=register.now)
    made.entries[:] = entries
    return made


def spoiled(**changed: JsonValue) -> bytes:
    """Return the bundle with other members in its register."""
    outer = canonical_json.parse_object(DATA)
    register = outer["register"]
    assert isinstance(register, dict)
    return canonical_json.serialize({**outer, "register": {**register, **changed}})


def member(name: str, data: bytes = DATA) -> JsonValue:
    register = canonical_json.parse_object(data)["register"]
    assert isinstance(register, dict)
    return register[name]


def payload(**changed: object) -> JsonObject:
    return {**MADE.payload, **changed}  # type: ignore[dict-item]  # tests say what they like


def test_bundle_yields_what_offices_use_today() -> None:
    found = load()
    assert found.trust == trust.parse(MADE.bundle, root_fingerprint=None, at_least_version=None)
    assert set(found.in_force.policies) == set(MADE.policies)
    assert not found.stale
    assert found.checked == MADE.now
    assert bundle.parse_seen(bundle.write_seen(found.seen)) == found.seen


def test_only_what_justifies_it_is_carried() -> None:
    more = grown()
    data = registers.bundled(MADE, more)
    carried = member("entries", data)
    assert isinstance(carried, list)
    assert len(carried) < 20
    assert len(data) < len(DATA) + 2000
    assert set(load(data).in_force.policies) == set(MADE.policies)


def test_policy_that_was_never_enacted_is_refused() -> None:
    more = {**policy.write(MADE.policies["bar-entry"]), "id": "never-enacted"}
    said = payload(policies=[*MADE.payload["policies"], more])  # type: ignore[misc]  # a list
    with pytest.raises(Refused):
        load(registers.bundled(MADE, REGISTER, payload=said))


def test_policy_that_differs_from_what_was_enacted_is_refused() -> None:
    said = payload(
        policies=[{**policy.write(MADE.policies["bar-entry"]), "optional": ["portrait"][:0]}]
    )
    with pytest.raises(Refused):
        load(registers.bundled(MADE, REGISTER, payload=said))
    fewer = payload(policies=[policy.write(MADE.policies["bar-entry"])])
    assert set(load(registers.bundled(MADE, REGISTER, payload=fewer)).trust.policies) == {
        "bar-entry"
    }


def test_key_that_was_never_announced_is_refused() -> None:
    announced = MADE.payload["announced"]
    assert isinstance(announced, list)
    first = announced[0]
    assert isinstance(first, dict)
    said = payload(announced=[{**first, "exp": 2_000_000_000}, *announced[1:]])
    with pytest.raises(Refused):
        load(registers.bundled(MADE, REGISTER, payload=said))


@pytest.mark.parametrize("whole", [True, False])
def test_dropped_policy_is_refused(whole: bool) -> None:  # noqa: FBT001 - a parameter of the test
    more = copy(REGISTER)
    more.decide(Drop(subject="policy:bar-entry"), base=1)
    if not whole:
        more.summarise()
    with pytest.raises(Refused):
        load(registers.bundled(MADE, more))


def test_leaving_out_that_a_policy_was_dropped_is_refused() -> None:
    more = copy(REGISTER)
    more.decide(Drop(subject="policy:bar-entry"), base=1)
    more.summarise()
    fewer = payload(policies=[policy.write(MADE.policies["library-card"])])
    data = registers.bundled(MADE, more, payload=fewer)
    load(data)
    # The dishonest writer carries the enactment of the bar, and not the drop.
    indices = frozenset(range(len(REGISTER.entries))) | {len(more.entries) - 1}
    with pytest.raises(Refused, match="summary"):
        load(carrying(more, indices))


def carrying(register: City, indices: frozenset[int]) -> bytes:
    """Write a bundle that carries these entries and no others."""
    whole = bundle.write(MADE.plain, entries=register.entries, head=register.note(), earlier=())
    known = registers.leaves(register.entries)
    entries = [[index, base64url.encode(register.entries[index])] for index in sorted(indices)]
    sizes = frozenset(range(1, len(register.entries) + 1))
    outline = partial.Outline(size=known.size, indices=indices, sizes=sizes)
    nodes = partial.carry(outline, lambda level, index: known.nodes[level, index])
    outer = canonical_json.parse_object(whole)
    said: JsonValue = {
        "checkpoint": register.note().octets().decode(),
        "checkpoints": [],
        "earlier": [*sorted(sizes)],
        "entries": entries,  # type: ignore[dict-item]  # pairs
        "nodes": base64url.encode(b"".join(nodes)),
    }
    return canonical_json.serialize({**outer, "register": said})


def test_false_summary_deceives_who_is_offline_and_stands_in_the_log_for_all_to_see() -> None:
    more = copy(REGISTER)
    more.decide(Drop(subject="policy:bar-entry"), base=1)
    dropped = len(more.entries) - 1
    honest = copy(REGISTER).register()
    signed = more.signed()
    state = honest.state(at=UnixSeconds(more.now))
    lie = more.append(Summary(checkpoint=signed.note, state=state))
    everything = frozenset(range(len(more.entries)))
    found = load(carrying(more, everything - {dropped, dropped - 1}))
    assert "bar-entry" in found.trust.policies
    (refusal,) = more.register().refusals
    assert (refusal.index, refusal.reason) == (lie, Reason.FALSE_SUMMARY)
    with pytest.raises(Refused, match="dropped"):
        load(carrying(more, everything))


@pytest.mark.parametrize("subject", ["delegation:city-root", "announced:resident_bbs:13"])
def test_what_was_dropped_later_is_carried_where_it_must_be(subject: str) -> None:
    more = copy(REGISTER)
    more.decide(Drop(subject=subject), base=1)
    more.wait(-DAY)
    more.decide(registers.policy_change("brief", expires="2027-01-20"))
    more.wait(10 * DAY)
    made = replace(MADE, now=UnixSeconds(more.now))
    more.summarise()
    for number in range(200):
        more.append(b"%d" % number)
    more.summarise()
    data = registers.bundled(made, more)
    found = bundle.load(data, pin=PIN, seen=None, now=made.now)
    assert len(member("entries", data)) < 40  # type: ignore[arg-type]  # a list
    record = found.in_force.records[subject]
    assert record.ended


def test_entries_after_the_summary_are_all_there_and_decide_nothing() -> None:
    more = copy(REGISTER)
    more.propose(registers.policy_change("other"))
    everything = frozenset(range(len(more.entries)))
    load(carrying(more, everything))
    with pytest.raises(Refused, match="left out"):
        load(carrying(more, everything - {len(more.entries) - 1}))
    decided = copy(REGISTER)
    decided.decide(registers.policy_change("other"))
    everything = frozenset(range(len(decided.entries)))
    with pytest.raises(Refused, match="summary"):
        load(carrying(decided, everything - {3}))
    # An enactment that counts for those who read all, and not for those who lack its proposal.
    with pytest.raises(Refused, match="left out"):
        load(carrying(decided, everything - {len(decided.entries) - 2}))


def test_enactment_after_the_summary_is_refused_even_where_it_seems_not_to_count() -> None:
    more = copy(REGISTER)
    more.append(b"no entry")
    more.append(more.entries[-3])
    everything = frozenset(range(len(more.entries)))
    load(carrying(more, everything))
    assert canonical_json.parse_object(more.entries[-1])["type"] == "enactment"
    with pytest.raises(Refused, match="decided"):
        load(carrying(more, everything - {1}))


def test_bundle_without_a_summary_carries_everything() -> None:
    bare = replaced(REGISTER, REGISTER.entries[:-1])
    assert set(load(registers.bundled(MADE, bare)).in_force.policies) == set(MADE.policies)
    with pytest.raises(Refused, match="summary"):
        load(carrying(bare, frozenset(range(len(bare.entries))) - {1}))


def test_older_history_is_refused() -> None:
    newer = load(registers.bundled(MADE, grown())).seen
    with pytest.raises(Refused):
        load(seen=newer)
    assert load(seen=load().seen).seen == load().seen


def test_history_goes_on_from_what_was_seen() -> None:
    seen = load().seen
    more = grown()
    known = registers.bundled(MADE, more, earlier=[seen.head.size])
    assert load(known, seen=seen).in_force.size == len(more.entries)
    untold = registers.bundled(MADE, more)
    other = Seen(head=more.head(150), bundle=SAID, version=1)
    with pytest.raises(Refused, match="tell"):
        load(untold, seen=other)
    nodes = registers.leaves(more.entries).nodes
    told = proof.make_consistency(
        old=150, new=len(more.entries), read=lambda level, index: nodes[level, index]
    )
    bundle.load(untold, pin=PIN, seen=other, now=MADE.now, consistency=told)


def test_another_history_is_refused() -> None:
    one, other = copy(REGISTER), copy(REGISTER)
    one.append(b"one entry")
    other.append(b"another entry")
    seen = load(registers.bundled(MADE, one)).seen
    with pytest.raises(Refused, match="another history"):
        load(registers.bundled(MADE, other), seen=seen)
    other.append(b"and one more")
    with pytest.raises(Refused, match="another history"):
        load(registers.bundled(MADE, other, earlier=[seen.head.size]), seen=seen)


def test_older_version_of_the_payload_is_refused() -> None:
    seen = replace(load().seen, version=8)
    with pytest.raises(Refused, match="older"):
        load(seen=seen)


def test_stale_bundle_is_known_to_whoever_took_it_over_and_new_to_nobody() -> None:
    seen = load().seen
    last = MADE.now + REGISTER.charter.offline_days * DAY
    assert not load(now=last).stale
    for stranger in (None, replace(seen, bundle=SAID)):
        with pytest.raises(Expired):
            load(seen=stranger, now=last + 1)
    found = load(seen=seen, now=last + 1)
    assert found.stale
    assert found.checked == MADE.now
    assert found.trust.policies


def test_readers_clock_before_the_witnesses_is_refused() -> None:
    with pytest.raises(Refused):
        load(now=MADE.now - DAY)


def test_charter_is_pinned_and_names_root_city_and_languages() -> None:
    with pytest.raises(Untrusted):
        bundle.load(DATA, pin=SAID, seen=None, now=MADE.now)
    assert bundle.load(DATA, pin=None, seen=None, now=MADE.now).in_force.charter_digest == PIN
    for changed in ({"city": "Elsewhere"}, {"languages": ["en", "es"]}):
        with pytest.raises(Refused):
            load(registers.bundled(MADE, REGISTER, payload=payload(**changed)))


def founded(**changed: object) -> City:
    said = {
        "city": MADE.payload["city"],
        "languages": MADE.payload["languages"],
        "root": base64url.encode(MADE.trust.root_fingerprint),
        **changed,
    }
    return City(charter=registers.board(**said), now=MADE.now)


def test_another_root_than_the_charters_is_refused() -> None:
    empty = payload(announced=[], policies=[])
    bundle.load(
        registers.bundled(MADE, founded(), payload=empty), pin=None, seen=None, now=MADE.now
    )
    other = founded(root=base64url.encode(SAID))
    with pytest.raises(Untrusted):
        bundle.load(
            registers.bundled(MADE, other, payload=empty), pin=None, seen=None, now=MADE.now
        )


def test_a_log_that_only_the_city_cosigns_says_demonstration() -> None:
    alone = founded(witness_threshold=1)
    empty = payload(announced=[], policies=[])
    with pytest.raises(Refused, match="alone"):
        bundle.load(
            registers.bundled(MADE, alone, payload=empty), pin=None, seen=None, now=MADE.now
        )
    said = {**empty, "demonstration": True}
    data = registers.bundled(MADE, alone, payload=said)
    assert bundle.load(data, pin=None, seen=None, now=MADE.now).in_force.demonstration


def test_too_few_witnesses_are_refused() -> None:
    alone = bundle.write(
        MADE.plain,
        entries=REGISTER.entries,
        head=REGISTER.note(by=registers.QUORUM[:1]),
        earlier=(),
    )
    with pytest.raises(Refused, match="witnesses"):
        load(alone)


def without_first(name: str) -> JsonValue:
    found = member(name)
    assert isinstance(found, list)
    return found[1:]


@pytest.mark.parametrize(
    "changed",
    [
        {"nodes": "AA"},
        {"nodes": base64url.encode(bytes(32))},
        {"nodes": None},
        {"checkpoints": []},
        {"earlier": [2, 1]},
        {"earlier": [10_000]},
        {"earlier": [*range(1, bundle.MOST_SIZES + 1)]},
        {"entries": without_first("entries")},
        {"entries": []},
        {"entries": [[0]]},
        {"entries": [[0, "AA"], [0, "AA"]]},
        {"entries": [[0, None]]},
        {"entries": [[0, {"type": "proposal", "change": {"policy": "nobody"}}]]},
        {"entries": [[0, {"c1": 99}]]},
        {"entries": [[index, "AA"] for index in range(bundle.MOST_ENTRIES + 1)]},
        {"checkpoint": "no note"},
        {"more": 1},
    ],
)
def test_register_that_is_not_as_it_should_be_is_malformed(changed: dict[str, JsonValue]) -> None:
    with pytest.raises(Malformed):
        load(spoiled(**changed))


def test_changed_entry_is_refused() -> None:
    entries = member("entries")
    assert isinstance(entries, list)
    changed = [*entries[:-1], [len(entries) - 1, "AA"]]
    with pytest.raises(Refused):
        load(spoiled(entries=changed))


def test_bundle_that_is_too_large_or_not_canonical_is_malformed() -> None:
    for data in (bytes(bundle.LARGEST + 1), DATA + b" ", MADE.plain, b"{}"):
        with pytest.raises(Malformed):
            load(data)


def test_junk_in_the_log_is_carried_and_means_nothing() -> None:
    more = copy(REGISTER)
    for junk in (b"", b"{}", b"\xff", b'{"type":"summary"}', more.entries[0]):
        more.append(junk)
    assert set(load(registers.bundled(MADE, more)).in_force.policies) == set(MADE.policies)


def test_policies_of_the_payload_are_named_and_not_repeated() -> None:
    entries = member("entries")
    assert isinstance(entries, list)
    texts = canonical_json.serialize(entries)
    assert texts.count(b"Exampleton Savings Bank") == 0
    assert DATA.count(b"Exampleton Savings Bank") == 1


def test_seen_that_does_not_parse_is_malformed() -> None:
    for data in (b"{}", b"x", bundle.write_seen(load().seen)[:-1]):
        with pytest.raises(CryptoError):
            bundle.parse_seen(data)


def test_many_policies_fit_the_bars() -> None:
    base = policy.write(MADE.policies["bar-entry"])
    many = [policy.parse({**base, "id": f"verifier-{number}"}) for number in range(100)]
    register = registers.of_city(MADE, policies=many)
    said = payload(policies=[policy.write(each) for each in many])
    data = registers.bundled(MADE, register, payload=said)
    # 3 MiB for a thousand
    assert len(data) < (3 << 20) / 10
    found = bundle.load(data, pin=None, seen=None, now=MADE.now)
    assert found.in_force.policies["verifier-7"] == many[7]
    assert PolicyChange(policy=many[7]).subject in found.in_force.records
    assert tree.leaf_hash(register.entries[0]) is not None


@settings(max_examples=80, deadline=None)
@given(place=st.integers(0, len(DATA) - 1), octet=st.integers(0, 255))
def test_any_other_octet_is_refused(place: int, octet: int) -> None:
    changed = DATA[:place] + bytes([octet]) + DATA[place + 1 :]
    if changed == DATA:
        load(changed)
        return
    with pytest.raises(CryptoError):
        load(changed)
