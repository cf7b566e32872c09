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
    if not _URI.fullmatch(uri):
        raise Malformed("uri is an address without query (Token Status List, 6.2)")
    return Reference(uri=uri, index=index)


def locate(claims: JsonObject) -> tuple[str, int]:
    """Read the address and the index only, for who knows which addresses there are.

    Spec: as `parse`.

    Raises:
        Malformed: as `parse`, the form of the address aside.

    Not checked: whether this list was announced, and whether it is that long.
    """
    status = claims.get("status")
    if type(status) is dict and len(status) == 1:
        entry = status.get("status_list")
        if type(entry) is dict and len(entry) == _MEMBERS:
            index, uri = entry.get("idx"), entry.get("uri")
            if type(index) is not int or not 0 <= index <= LARGEST_INDEX:
                raise Malformed("idx is a non-negative integer (Token Status List, 6.2)")
            if type(uri) is not str:
                raise Malformed("uri is an address without query (Token Status List, 6.2)")
            return uri, index
    raise Malformed("status holds one status list and nothing else (Token Status List, 6.2)")


def claim(reference: Reference) -> JsonObject:
    """Write the value of the `status` claim."""
    return {"status_list": {"idx": reference.index, "uri": reference.uri}}
