"""One disclosable claim: a salt, a name where it has one, a value; its text and its digest.

Carries out RFC 9901, sections 4.2.1 to 4.2.3, with SHA-256 only. A digest is taken over the
text as received: the same JSON written in another way is another disclosure.
"""

import hashlib
from typing import NamedTuple

import orjson

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import Malformed

HASH_NAME = "sha-256"
DIGESTS = "_sd"
PLACEHOLDER = "..."
HASH_CLAIM = "_sd_alg"
RESERVED = frozenset({DIGESTS, PLACEHOLDER, HASH_CLAIM})
"""Names that no claim may have (RFC 9901, sections 4.1 and 4.2.1)."""

Path = tuple[str | int, ...]
"""Names and indices from the top down to one claim."""

ALWAYS_VISIBLE = frozenset(
    {"iss", "iat", "nbf", "exp", "aud", "cnf", "vct", "vct#integrity", "status", "_sd_alg"}
)
"""Top-level claims that control the credential and of which nothing is ever hidden (SD-JWT VC,
section 2.2.2; RFC 9901, section 9.7)."""

SALT_SIZE = 16
SALT_TEXT_SIZE = 22
"""Characters of base64url that 128 bits need (RFC 9901, section 9.3)."""
_PROPERTY_SIZE = 3
_ELEMENT_SIZE = 2
_PLAIN = frozenset({str, bool, type(None)})


class Disclosure(NamedTuple):
    """What a disclosure says. `name` is None for an element of an array."""

    salt: str
    name: str | None
    value: JsonValue


def new_salt(*, random_bytes: RandomBytes) -> str:
    """Draw a salt.

    Spec: RFC 9901, section 9.3.

    Args:
        random_bytes: asked once, for 16 bytes.

    Returns:
        22 characters of base64url.

    Secret: the result, until the holder discloses.
    """
    return base64url.encode(random_bytes(SALT_SIZE))


def write(disclosure: Disclosure) -> str:
    """Write a disclosure as it travels.

    Spec: RFC 9901, sections 4.2.1 (object properties) and 4.2.2 (array elements).

    Returns:
        base64url of a JSON array of three elements, or two where there is no name.

    Raises:
        ValueError: a value that I-JSON cannot hold, or a reserved name.
    """
    salt, name, value = disclosure
    if name in RESERVED:
        raise ValueError("a reserved claim name")
    array: list[JsonValue] = [salt, value] if name is None else [salt, name, value]
    return base64url.encode(canonical_json.serialize(array))


def parse(text: str) -> Disclosure:
    """Read a disclosure.

    Spec: RFC 9901, sections 4.2.1 and 4.2.2.

    Raises:
        Malformed: not base64url of a JSON array of a text salt, perhaps a text name, and a
            value; or a name with a NUL, which no database could hold.

    Not checked: whether a digest refers to it, from where, and whether its name is allowed
    there; the length of the salt, which matters to the holder (`verify.verify_issued`).
    """
    data = base64url.decode(text)
    try:
        array = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed("SD-JWT (RFC 9901, section 4.2): a disclosure that is not JSON") from error
    if type(array) is list and array:
        # Most values are text, true or null: no member stands there twice, and no number is
        # rounded. Only the others are read as strictly as everything else, on this hottest path.
        if type(array[-1]) not in _PLAIN:
            canonical_json.parse(data)
        if type(array[0]) is str:
            if len(array) == _PROPERTY_SIZE:
                salt, name, value = array
                if type(name) is str and "\0" not in name:
                    return Disclosure(salt, name, value)
            elif len(array) == _ELEMENT_SIZE:
                return Disclosure(array[0], None, array[1])
    raise Malformed("SD-JWT (RFC 9901, section 4.2): not a disclosure")


def digest(text: str) -> str:
    """Hash a disclosure, or an SD-JWT as a key binding names it, as it travels.

    Spec: RFC 9901, sections 4.2.3 and 4.3.1.

    Args:
        text: ASCII.

    Returns:
        43 characters of base64url.
    """
    return base64url.encode_hash(hashlib.sha256(text.encode("ascii")).digest())
