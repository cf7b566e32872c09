"""Where a credential's status stands: the list's address and the index in it.

Token Status List draft-21, section 6.2. Other status mechanisms beside or inside it are refused
and not skipped, since what is not understood may say "withdrawn". The address may carry nothing
that could differ from person to person (section 12.1).
"""

import re
from dataclasses import dataclass
from typing import Final

from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed

LARGEST_INDEX: Final = 0xFFFFFFFE

_URI = re.compile(r"https?://[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One entry of one list."""

    uri: str
    index: int


def parse(claims: JsonObject) -> Reference:
    """Read the `status` claim of a credential's payload.

    Spec: Token Status List, section 6.2.

    Args:
        claims: the processed payload.

    Raises:
        Malformed: no `status`, another mechanism, an index that is no integer from 0 to
            `LARGEST_INDEX`, an address that is not http(s), or one with query or fragment.

    Not checked: whether this list was announced, and whether it is that long.
    """
    status = _object(claims.get("status"), {"status_list"})
    entry = _object(status["status_list"], {"idx", "uri"})
    index, uri = entry["idx"], entry["uri"]
    if type(index) is not int or not 0 <= index <= LARGEST_INDEX:
        raise Malformed("idx is a non-negative integer (Token Status List, 6.2)")
    if not isinstance(uri, str) or not _URI.fullmatch(uri):
        raise Malformed("uri is an address without query (Token Status List, 6.2)")
    return Reference(uri=uri, index=index)


def claim(reference: Reference) -> JsonObject:
    """Write the value of the `status` claim."""
    return {"status_list": {"idx": reference.index, "uri": reference.uri}}


def _object(value: JsonValue, names: set[str]) -> JsonObject:
    if not isinstance(value, dict) or value.keys() != names:
        raise Malformed("status holds one status list and nothing else (Token Status List, 6.2)")
    return value
