"""Where a credential's status stands: the list's address and the index in it.

Token Status List draft-21, section 6.2. Other status mechanisms beside or inside it are refused
and not skipped, since what is not understood may say "withdrawn". The address may carry nothing
that could differ from person to person (section 12.1).
"""

import re
from dataclasses import dataclass
from typing import Final

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed

LARGEST_INDEX: Final = 0xFFFFFFFE

_MEMBERS = 2

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
    uri, index = locate(claims)
    return Reference(uri=uri, index=index)


def locate(claims: JsonObject) -> tuple[str, int]:
    """Read the address and the index only; as `parse`, for the hottest path.

    Spec: as `parse`.

    Raises:
        Malformed: as `parse`.
    """
    status = claims.get("status")
    entry = status.get("status_list") if isinstance(status, dict) and len(status) == 1 else None
    if not isinstance(entry, dict) or len(entry) != _MEMBERS:
        raise Malformed("status holds one status list and nothing else (Token Status List, 6.2)")
    index, uri = entry.get("idx"), entry.get("uri")
    if type(index) is not int or not 0 <= index <= LARGEST_INDEX:
        raise Malformed("idx is a non-negative integer (Token Status List, 6.2)")
    if not isinstance(uri, str) or not _URI.fullmatch(uri):
        raise Malformed("uri is an address without query (Token Status List, 6.2)")
    return uri, index


def claim(reference: Reference) -> JsonObject:
    """Write the value of the `status` claim."""
    return {"status_list": {"idx": reference.index, "uri": reference.uri}}
