"""The bundle: one file with what is in force and the chain that justifies it, checked offline.

DESIGN, sections 3 and 5. Its payload is the trust bundle as it always was (`verification.trust`);
beside it stands the register: the entries that justify what the payload says, the checkpoints
that they speak of, the newest one, and a partial tree from which the roots of all of them follow.
A summary, which is an entry as well, says that nothing was left out; whoever reads the whole log
catches a false one. A reader who saw another bundle before refuses an older or another history.
Left out: fetching it, and where `Seen` is kept.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError, Expired, Malformed, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.log import checkpoint, note, partial, proof, tree
from crypto.log.note import Note
from crypto.log.partial import Outline, PartialTree
from crypto.log.proof import ConsistencyProof
from crypto.log.tree import HASH_LENGTH, Hash, TreeHead
from idservice import period
from idservice.period import DAY
from idservice.register import change, charter, fold, wire
from idservice.register.change import PolicyChange
from idservice.register.entry import Digest, Enactment, RoutineEntry
from idservice.register.fold import Register
from idservice.register.state import InForce
from idservice.verification import trust
from idservice.verification.trust import TrustBundle

LARGEST: Final = 8 << 20
"""Octets."""
MOST_ENTRIES: Final = 16_384
MOST_SIZES: Final = 4096

_BUNDLE = frozenset({"payload", "root", "signature", "register"})
_INNER = frozenset({"payload", "root", "signature"})
_REGISTER = frozenset({"checkpoint", "checkpoints", "earlier", "entries", "nodes"})
_SEEN = frozenset({"size", "root", "bundle", "version"})
_NOTES = ("c1", "c2", "checkpoint")
"""Members of an entry in which a checkpoint stands."""
_PAIR = 2
_DECIDING = frozenset({Enactment.type, RoutineEntry.type})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reader keeps of the newest bundle that it took over."""

    head: TreeHead
    bundle: Digest
    """SHA-256 of the file."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A bundle that was checked against the register; only `load` makes it."""

    trust: TrustBundle
    """The same values as without a register; every one of them is in force."""
    in_force: InForce
    seen: Seen
    """To be kept, and given to `load` the next time."""
    checked: UnixSeconds
    """When a whole quorum of witnesses knew nothing newer."""
    stale: bool
    """Not checked since `checked`: what is known verifies, nothing new is taken over."""

    def unchecked_since(self, *, now: UnixSeconds) -> date | None:
        """Return the day of `checked` if it is longer ago than the charter allows."""
        return period.day(self.checked) if _is_stale(self.in_force, now=now) else None


def load(
    data: bytes,
    *,
    pin: Digest | None,
    seen: Seen | None,
    now: UnixSeconds,
    consistency: ConsistencyProof | None = None,
) -> Loaded:
    """Check a bundle against the register inside it, offline; a stale one brings nothing new.

    Otherwise as `read`.

    Raises:
        Expired: stale, and not the one that was taken over already.
    """
    found = read(data, pin=pin, seen=seen, now=now, consistency=consistency)
    if found.stale and (seen is None or seen.bundle != found.seen.bundle):
        raise Expired("a stale bundle brings nothing new")
    return found


def read(
    data: bytes,
    *,
    pin: Digest | None,
    seen: Seen | None,
    now: UnixSeconds,
    consistency: ConsistencyProof | None = None,
) -> Loaded:
    """Check a bundle against the register inside it, offline, however old it is.

    Args:
        data: the file.
        pin: SHA-256 of entry 0; `None` only where it is to be pinned now.
        seen: what was taken over last, `None` for the first time.
        now: the reader's time.
        consistency: from the tree that was seen to this one, where the bundle itself does not
            tell that size.

    Raises:
        Malformed: not canonical JSON, or a member is missing, unknown or ill-typed.
        Untrusted: another charter than the one pinned, or another city root than the charter's.
        BadSignature: not signed by the root, or a signature of the log or a witness is wrong.
        Refused: something in the payload is not in force, something was left out, too few
            witnesses, an older history than was seen, or another one.
    """
    outer = _outer(data)
    believed = trust.read(
        {name: outer[name] for name in _INNER},
        root_fingerprint=None,
        at_least_version=seen.version if seen else None,
    )
    payload = members.any_object(outer["payload"])
    held = _Held(members.exact(outer["register"], _REGISTER), payload)
    register = held.fold(pin)
    # The log's own signature and the charter's witnesses, over the root that the entries make.
    signed = checkpoint.verify(held.newest, log=register.charter.log)
    if signed.checkpoint.head != held.tree.head(held.tree.size):
        raise Refused("the entries do not make the signed root (RFC 9162, 2.1.1)")
    in_force = register.in_force(signed, now=now)
    if seen is not None:
        _check_same_history(seen.head, signed.checkpoint.head, held.tree, consistency)
    _check_charter(believed, in_force)
    _check_in_force(believed, payload, in_force)
    digest = hashlib.sha256(data).digest()
    return Loaded(
        trust=believed,
        in_force=in_force,
        seen=Seen(head=signed.checkpoint.head, bundle=digest, version=believed.version),
        checked=in_force.current,
        stale=_is_stale(in_force, now=now),
    )


def write(
    signed: bytes, *, entries: Sequence[bytes], head: Note, earlier: Collection[int]
) -> bytes:
    """Write a bundle.

    Args:
        signed: the trust bundle, as `trust.write` makes it.
        entries: the whole log up to `head`.
        head: the newest checkpoint with its cosignatures.
        earlier: sizes of the checkpoints of earlier bundles: whoever has one of them needs no
            other proof that this history goes on from there.

    Not checked: that the payload is in force; `load` what comes out before publishing it.
    """
    outer = members.exact(canonical_json.parse_canonical(signed), _INNER)
    payload = members.any_object(outer["payload"])
    register = fold.fold(entries, pin=None)
    indices = _indices(register, payload)
    notes: dict[str, int] = {}
    policies = _policies(payload)
    carried: list[JsonValue] = [
        [index, _fold_in(entries[index], policies, notes, size=len(entries))]
        for index in sorted(indices)
    ]
    known = partial.whole(map(tree.leaf_hash, entries))
    sizes = frozenset(earlier) | {_size(text) for text in notes}
    outline = Outline(size=known.size, indices=indices, sizes=sizes)
    nodes = partial.carry(outline, lambda level, index: known.nodes[level, index])
    register_member: JsonObject = {
        "checkpoint": head.octets().decode(),
        "checkpoints": [*notes],
        "earlier": [*sorted(set(earlier))],
        "entries": carried,
        "nodes": base64url.encode(b"".join(nodes)),
    }
    return canonical_json.serialize({**outer, "register": register_member})


def write_seen(seen: Seen) -> bytes:
    """Write what a reader keeps, as `parse_seen` reads it."""
    return canonical_json.serialize(
        {
            "size": seen.head.size,
            "root": base64url.encode(seen.head.root),
            "bundle": base64url.encode(seen.bundle),
            "version": seen.version,
        }
    )


def parse_seen(data: bytes) -> Seen:
    """Read what a reader kept.

    Raises:
        Malformed: something else.
    """
    given = members.exact(canonical_json.parse_canonical(data), _SEEN)
    root = tree.parse_hash(base64url.decode(members.text(given["root"])))
    return Seen(
        head=TreeHead(size=members.whole(given["size"]), root=root),
        bundle=charter.digest(given["bundle"]),
        version=members.whole(given["version"]),
    )


class _Held:
    """The register as the bundle holds it: entries, checkpoints, and the tree that they make."""

    def __init__(self, given: JsonObject, payload: JsonObject) -> None:
        self.newest = note.parse(members.text(given["checkpoint"]).encode())
        size = _size(members.text(given["checkpoint"]))
        notes = members.texts(given["checkpoints"])
        earlier = [members.whole(each) for each in members.array(given["earlier"])]
        if len(notes) + len(earlier) > MOST_SIZES or earlier != sorted(set(earlier)):
            raise Malformed("sizes stand in their order, each once, and not too many")
        self.values = _entries(members.array(given["entries"]), _policies(payload), notes)
        self.entries = {index: _octets(value) for index, value in self.values.items()}
        outline = Outline(
            size=size,
            indices=frozenset(self.entries),
            sizes=frozenset(earlier) | {_size(text) for text in notes},
        )
        leaves = {index: tree.leaf_hash(octets) for index, octets in self.entries.items()}
        nodes = _hashes(base64url.decode(members.text(given["nodes"])))
        self.tree = partial.build(outline, leaves=leaves, carried=nodes)

    def fold(self, pin: Digest | None) -> Register:
        """Fold the entries, and check that nothing that decides was left out."""
        if 0 not in self.entries:
            raise Malformed("entry 0 is missing")
        whole = len(self.entries) == self.tree.size
        following = [(index, octets) for index, octets in self.entries.items() if index]
        begun = fold.start(self.entries[0], pin=pin, whole=whole)
        register = begun.extend(following, heads=self.tree.head, values=self._read())
        if not whole:
            self._check_nothing_left_out(register)
        return register

    def _read(self) -> Mapping[int, JsonObject]:
        return {index: each for index, each in self.values.items() if isinstance(each, dict)}

    def _check_nothing_left_out(self, register: Register) -> None:
        """Check that a summary covers what is not here, and that nothing is decided after it."""
        since = register.summarised_from
        if since is None:
            raise Refused("no summary says what is in force")
        after = range(since + 1, self.tree.size)
        if any(index not in self.entries for index in after):
            raise Refused("something after the summary was left out")
        if any(_type(self.entries[index]) in _DECIDING for index in after):
            raise Refused("something was decided after the summary")


def _type(octets: bytes) -> str | None:
    """Return the type that an entry claims, None where it cannot be read."""
    try:
        return wire.parse(octets).type
    except CryptoError:
        return None


def _is_stale(in_force: InForce, *, now: UnixSeconds) -> bool:
    return now > in_force.current + in_force.charter.offline_days * DAY


def _outer(data: bytes) -> JsonObject:
    if len(data) > LARGEST:
        raise Malformed("bundle too large")
    return members.exact(canonical_json.parse_canonical(data), _BUNDLE)


def _policies(payload: JsonObject) -> Mapping[str, JsonValue]:
    """Return the payload's policies by their id."""
    return {
        members.text(members.any_object(each).get("id")): each
        for each in members.array(payload["policies"])
    }


def _entries(
    given: list[JsonValue], policies: Mapping[str, JsonValue], notes: Sequence[str]
) -> dict[int, JsonValue]:
    """Read number and entry of each; what stands elsewhere in the file is put back."""
    if len(given) > MOST_ENTRIES:
        raise Malformed("too many entries")
    found: dict[int, JsonValue] = {}
    last = -1
    for each in given:
        pair = members.array(each)
        if len(pair) != _PAIR or members.whole(pair[0]) <= last:
            raise Malformed("number and entry, in the order of the log")
        last = members.whole(pair[0])
        found[last] = _unfold(pair[1], policies, notes)
    return found


def _octets(value: JsonValue) -> bytes:
    """Write the entry; one that is no JSON of ours is carried as base64url, and means nothing."""
    return base64url.decode(value) if isinstance(value, str) else canonical_json.serialize(value)


def _unfold(value: JsonValue, policies: Mapping[str, JsonValue], notes: Sequence[str]) -> JsonValue:
    if isinstance(value, str):
        return value
    each = members.any_object(value)
    for name in _NOTES:
        place = each.get(name)
        if type(place) is int:
            if not 0 <= place < len(notes):
                raise Malformed("a checkpoint is missing")
            each = {**each, name: notes[place]}
    decided = each.get("change")
    if isinstance(decided, dict) and isinstance(decided.get("policy"), str):
        name = members.text(decided["policy"])
        if name not in policies:
            raise Malformed("a policy is missing")
        each = {**each, "change": {**decided, "policy": policies[name]}}
    return each


def _fold_in(
    octets: bytes, policies: Mapping[str, JsonValue], notes: dict[str, int], *, size: int
) -> JsonValue:
    """Return the entry as the bundle carries it: what stands elsewhere in the file is named."""
    try:
        wire.parse(octets)
    except CryptoError:
        return base64url.encode(octets)
    each = canonical_json.parse_object(octets)
    for name in _NOTES:
        text = each.get(name)
        if isinstance(text, str) and _is_checkpoint(text, size):
            each[name] = notes.setdefault(text, len(notes))
    decided = each.get("change")
    if isinstance(decided, dict) and isinstance(decided.get("policy"), dict):
        policy_id = members.text(members.any_object(decided["policy"])["id"])
        if policies.get(policy_id) == decided["policy"]:
            each["change"] = {**decided, "policy": policy_id}
    return each


def _indices(register: Register, payload: JsonObject) -> frozenset[int]:
    """Choose the entries to carry: all, where no summary lets any be left out."""
    since = register.summarised_from
    if since is None:
        return frozenset(range(register.size))
    subjects = {f"policy:{name}" for name in _policies(payload)}
    for value in members.array(payload["announced"]):
        subjects.add(change.announcement(value).subject)
    after = range(since, register.size)
    return register.justification(subjects) | frozenset(after)


def _hashes(octets: bytes) -> tuple[Hash, ...]:
    if len(octets) % HASH_LENGTH:
        raise Malformed("a hash has 32 octets")
    return tuple(
        Hash(octets[begin : begin + HASH_LENGTH]) for begin in range(0, len(octets), HASH_LENGTH)
    )


def _is_checkpoint(text: str, size: int) -> bool:
    """Say whether it may be of this tree: in an entry that does not count, anything may stand."""
    try:
        return _size(text) <= size
    except CryptoError:
        return False


def _size(text: str) -> int:
    return checkpoint.parse(note.parse(text.encode()).text).head.size


def _check_same_history(
    old: TreeHead, new: TreeHead, known: PartialTree, consistency: ConsistencyProof | None
) -> None:
    """Check that this history goes on from what the reader saw (RFC 9162, 2.1.4)."""
    if new.size < old.size:
        raise Refused("fewer entries than were seen before")
    if consistency is not None:
        proof.verify_consistency(old=old, new=new, proof=consistency)
    elif known.head(old.size) != old:
        raise Refused("another history than the one seen before")


def _check_charter(believed: TrustBundle, in_force: InForce) -> None:
    board = in_force.charter
    if believed.root_fingerprint != board.root:
        raise Untrusted("another city root than the charter's")
    if (believed.city, believed.languages) != (board.city, board.languages):
        raise Refused("another city, or other languages, than the charter's")
    if board.demonstration and not believed.demonstration:
        raise Refused("the city alone vouches for this log, and the bundle does not say so")


def _check_in_force(believed: TrustBundle, payload: JsonObject, in_force: InForce) -> None:
    """Check that everything in the payload was decided; dates are looked at when it is used."""
    for value in members.array(payload["announced"]):
        said = change.announcement(value)
        if in_force.announced.get((said.configuration, said.period)) != said:
            raise Refused("a key that is not in force")
    for policy in believed.policies.values():
        record = in_force.records.get(f"policy:{policy.id}")
        if record is None or record.change != PolicyChange(policy=policy):
            raise Refused("a policy that is not in force")
        if record.ended or record.paused_until > in_force.earliest:
            raise Refused("a policy that was dropped")
