"""DCQL, the query in a presentation request: parsed, written, and held against a credential.

OpenID4VP 1.0, sections 6 and 7. A verifier here writes one shape only, made from a policy by
`for_facts`; a wallet parses whatever a stranger sends, within limits. What the city's policy
allows is `verification/policy.py`'s affair. Left out: `trusted_authorities` is read and never
satisfied, because trust comes from the bundle; `meta` of formats that are not the catalogue's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from idservice import catalogue

CREDENTIAL_ID: Final = "resident"
"""The `id` of the one credential query that a verifier here writes."""

MAX_CREDENTIALS: Final = 8
MAX_CLAIMS: Final = 64
MAX_SETS: Final = 16
MAX_PATH: Final = 8
MAX_VALUES: Final = 16
MAX_TEXT: Final = 512

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

Step = str | int | None
Path = tuple[Step, ...]
Scalar = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimQuery:
    """One claim asked for; `values` empty means any value."""

    path: Path
    id: str | None
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialQuery:
    """One credential asked for; `claim_sets` lists claim ids, the preferred set first."""

    id: str
    format: str
    vct_values: tuple[str, ...]
    claims: tuple[ClaimQuery, ...]
    claim_sets: tuple[tuple[str, ...], ...]
    multiple: bool
    holder_binding: bool
    trusted_authorities: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSet:
    """Alternatives among the credential queries, by their ids."""

    options: tuple[tuple[str, ...], ...]
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole DCQL query."""

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSet, ...]


def for_facts(
    *,
    vct: str,
    required: Sequence[str],
    optional: Sequence[str],
    credential_format: str = catalogue.FORMAT,
) -> Query:
    """Write the query of a policy: everything it lists, else what it requires.

    Facts are named with dots (`address.locality`). There is no other way to make a query here,
    so none can ask for more than its policy, or in two formats at once.
    """
    names = (*required, *optional)
    claims = tuple(
        ClaimQuery(path=tuple(name.split(".")), id=_claim_id(name), values=()) for name in names
    )
    whole = tuple(map(_claim_id, names))
    least = tuple(map(_claim_id, required))
    credential = CredentialQuery(
        id=CREDENTIAL_ID,
        format=credential_format,
        vct_values=(vct,),
        claims=claims,
        claim_sets=(whole, least) if optional else (),
        multiple=False,
        holder_binding=True,
        trusted_authorities=False,
    )
    return Query(credentials=(credential,), credential_sets=())


def _claim_id(name: str) -> str:
    return name.replace(".", "_")


def write(query: Query) -> JsonObject:
    """Write a query of one of our verifiers as JSON (OpenID4VP 1.0, section 6)."""
    return {"credentials": [_write_credential(one) for one in query.credentials]}


def _write_credential(query: CredentialQuery) -> JsonObject:
    claims: list[JsonValue] = [{"id": one.id, "path": list(one.path)} for one in query.claims]
    written: JsonObject = {
        "id": query.id,
        "format": query.format,
        "meta": {"vct_values": list(query.vct_values)},
        "claims": claims,
    }
    if query.claim_sets:
        written["claim_sets"] = [list(one) for one in query.claim_sets]
    return written


def parse(value: JsonValue) -> Query:
    """Parse a query from outside.

    Spec: OpenID4VP 1.0, sections 6 and 7.

    Raises:
        Malformed: not the shape of section 6, an id twice or unknown, or past a limit.
    """
    whole = _object(value)
    credentials = tuple(
        _credential(one) for one in _array(whole.get("credentials"), MAX_CREDENTIALS)
    )
    ids = _distinct(tuple(one.id for one in credentials))
    sets: tuple[CredentialSet, ...] = ()
    if "credential_sets" in whole:
        sets = tuple(
            _credential_set(one, ids) for one in _array(whole["credential_sets"], MAX_SETS)
        )
    return Query(credentials=credentials, credential_sets=sets)


def _credential_set(value: JsonValue, known: frozenset[str]) -> CredentialSet:
    member = _object(value)
    options = tuple(
        _known_ids(one, known, MAX_CREDENTIALS) for one in _array(member.get("options"), MAX_SETS)
    )
    return CredentialSet(options=options, required=_flag(member, "required", default=True))


def _credential(value: JsonValue) -> CredentialQuery:
    member = _object(value)
    form = _text(member.get("format"))
    meta = _object(member.get("meta"))
    claims: tuple[ClaimQuery, ...] = ()
    if "claims" in member:
        claims = tuple(_claim(one) for one in _array(member["claims"], MAX_CLAIMS))
    ids = _distinct(tuple(one.id for one in claims if one.id is not None))
    sets: tuple[tuple[str, ...], ...] = ()
    if "claim_sets" in member:
        if len(ids) != len(claims) or not claims:
            raise Malformed("claim_sets need claims that all have an id (OpenID4VP 6.1, 6.3)")
        sets = tuple(
            _known_ids(one, ids, MAX_CLAIMS) for one in _array(member["claim_sets"], MAX_SETS)
        )
    return CredentialQuery(
        id=_id(member.get("id")),
        format=form,
        vct_values=_vct_values(meta) if form in catalogue.FORMATS else (),
        claims=claims,
        claim_sets=sets,
        multiple=_flag(member, "multiple", default=False),
        holder_binding=_flag(member, "require_cryptographic_holder_binding", default=True),
        trusted_authorities="trusted_authorities" in member,
    )


def _vct_values(meta: JsonObject) -> tuple[str, ...]:
    """Read `vct_values`, which section B.3.5 requires for SD-JWT, and we for BBS as well."""
    return tuple(_text(one) for one in _array(meta.get("vct_values"), MAX_VALUES))


def _claim(value: JsonValue) -> ClaimQuery:
    member = _object(value)
    values: tuple[Scalar, ...] = ()
    if "values" in member:
        values = tuple(_scalar(one) for one in _array(member["values"], MAX_VALUES))
    return ClaimQuery(
        path=tuple(_step(one) for one in _array(member.get("path"), MAX_PATH)),
        id=_id(member["id"]) if "id" in member else None,
        values=values,
    )


def _step(value: JsonValue) -> Step:
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Malformed("a path has strings, nulls and non-negative integers (OpenID4VP 7)")


def _scalar(value: JsonValue) -> Scalar:
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return value
    if isinstance(value, int):
        return value
    raise Malformed("values are strings, integers or booleans (OpenID4VP 6.3)")


def _object(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise Malformed("a DCQL member is not an object (OpenID4VP 6)")
    return value


def _array(value: JsonValue, limit: int) -> list[JsonValue]:
    if not isinstance(value, list) or not 0 < len(value) <= limit:
        raise Malformed("a DCQL array is missing, empty or too long (OpenID4VP 6)")
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise Malformed("a DCQL text is missing, empty or too long (OpenID4VP 6)")
    return value


def _flag(member: JsonObject, name: str, *, default: bool) -> bool:
    value = member.get(name, default)
    if not isinstance(value, bool):
        raise Malformed("a DCQL flag is not a boolean (OpenID4VP 6)")
    return value


def _id(value: JsonValue) -> str:
    if not isinstance(value, str) or not _ID.match(value):
        raise Malformed("an id has letters, digits, underscores, hyphens (OpenID4VP 6.1)")
    return value


def _distinct(ids: tuple[str, ...]) -> frozenset[str]:
    known = frozenset(ids)
    if len(known) != len(ids):
        raise Malformed("an id stands twice (OpenID4VP 6.1, 6.3)")
    return known


def _known_ids(value: JsonValue, known: frozenset[str], limit: int) -> tuple[str, ...]:
    ids = tuple(_id(one) for one in _array(value, limit))
    if not _distinct(ids) <= known:
        raise Malformed("a set names an id that the query does not have (OpenID4VP 6.2)")
    return ids


def facts(query: CredentialQuery) -> frozenset[str]:
    """Name the facts that a query asks for, with dots, as policies do.

    Raises:
        Malformed: a path goes through an array; no credential of ours has one.
    """
    names = []
    for claim in query.claims:
        steps = [step for step in claim.path if isinstance(step, str) and "." not in step]
        if len(steps) != len(claim.path):
            raise Malformed("the path cannot name a claim of this catalogue")
        names.append(".".join(steps))
    return frozenset(names)


def select(
    query: CredentialQuery, claims: JsonObject, *, credential_format: str
) -> tuple[Path, ...] | None:
    """Choose what to show of a credential: the first set of claims that it can satisfy.

    Spec: OpenID4VP 1.0, section 6.4.1. A claim that is `null` counts as absent.

    Args:
        query: one credential query.
        claims: the whole payload of the credential, everything disclosed, `vct` included.
        credential_format: the format of that credential.

    Returns:
        The paths to disclose, or nothing where the credential does not match.
    """
    if query.format != credential_format or claims.get("vct") not in query.vct_values:
        return None
    if query.trusted_authorities:
        return None
    for option in _options(query):
        if all(_satisfied(one, claims) for one in option):
            return tuple(one.path for one in option)
    return None


def _options(query: CredentialQuery) -> tuple[tuple[ClaimQuery, ...], ...]:
    if not query.claim_sets:
        return (query.claims,)
    by_id = {one.id: one for one in query.claims}
    return tuple(tuple(by_id[name] for name in option) for option in query.claim_sets)


def _satisfied(query: ClaimQuery, claims: JsonObject) -> bool:
    found = [value for value in find(claims, query.path) if value is not None]
    if not query.values:
        return bool(found)
    # True == 1 in Python, and they are different values in JSON
    wanted = {(type(value), value) for value in query.values}
    return any(
        (type(value), value) in wanted for value in found if isinstance(value, (str, int, bool))
    )


def find(claims: JsonObject, path: Path) -> list[JsonValue]:
    """Process a claims path pointer; nothing found is an empty list.

    Spec: OpenID4VP 1.0, section 7.1. Where the section says "abort", nothing is found.
    """
    selected: list[JsonValue] = [claims]
    for step in path:
        selected = _follow(selected, step)
    return selected


def _follow(selected: list[JsonValue], step: Step) -> list[JsonValue]:
    following: list[JsonValue] = []
    for element in selected:
        if isinstance(step, str):
            if not isinstance(element, dict):
                return []
            if step in element:
                following.append(element[step])
            continue
        if not isinstance(element, list):
            return []
        following.extend(element if step is None else element[step : step + 1])
    return following
