"""Members of a JSON object, read as the type that they must have.

For parsers of documents whose members are all known beforehand. Left out: unknown members of
any kind, defaults, and what a value means; that is the parser's.
"""

import re
from collections.abc import Set as AbstractSet

from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed


def exact(value: JsonValue, names: AbstractSet[str]) -> JsonObject:
    """Return an object that has exactly these members.

    Raises:
        Malformed: no object, a member missing, or one too many.
    """
    found = any_object(value)
    if found.keys() != names:
        raise Malformed("a member is missing or unknown")
    return found


def any_object(value: JsonValue) -> JsonObject:
    """Return an object; anything else is `Malformed`."""
    if not isinstance(value, dict):
        raise Malformed("an object is expected")
    return value


def array(value: JsonValue) -> list[JsonValue]:
    """Return an array; anything else is `Malformed`."""
    if not isinstance(value, list):
        raise Malformed("an array is expected")
    return value


def text(value: JsonValue) -> str:
    """Return a text; anything else is `Malformed`."""
    if not isinstance(value, str):
        raise Malformed("a text is expected")
    return value


def texts(value: JsonValue) -> tuple[str, ...]:
    """Return an array of texts; anything else is `Malformed`."""
    return tuple(text(item) for item in array(value))


def matching(pattern: re.Pattern[str], value: JsonValue) -> str:
    """Return a text that is all of it as `pattern` says; anything else is `Malformed`."""
    found = text(value)
    if not pattern.fullmatch(found):
        raise Malformed("a text is badly spelled")
    return found


def whole(value: JsonValue) -> int:
    """Return an integer from 0; anything else, `true` included, is `Malformed`."""
    if type(value) is not int or value < 0:
        raise Malformed("a whole number from 0 is expected")
    return value


def flag(value: JsonValue) -> bool:
    """Return true or false; anything else is `Malformed`."""
    if not isinstance(value, bool):
        raise Malformed("true or false is expected")
    return value
