"""JSON with one meaning (I-JSON), and with one spelling (JCS) where bytes are compared.

Carries out RFC 7493 for reading, sections 2.1 to 2.3, and RFC 8785 for writing. Leaves out
numbers beyond 53 bits, and nesting beyond `MAX_DEPTH`: nothing this project reads needs them.
How long a text may be is the caller's limit.
"""

import json
from typing import Any, NoReturn

import orjson

from crypto.errors import Malformed

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]

MAX_DEPTH = 16
"""Arrays and objects around a value, itself included."""

_MAX_INTEGER = 2**53 - 1
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_CONTAINERS = frozenset({dict, list})
_JS_PLAIN_BELOW = 21
"""ECMAScript writes numbers below ten to this power without an exponent."""
_JS_PLAIN_ABOVE = -6


def parse(data: bytes) -> JsonValue:
    """Read one JSON value, every text of which has one meaning only.

    Spec: RFC 8259; RFC 7493, sections 2.1 (UTF-8, no lone surrogates), 2.2 (numbers that a
    double holds) and 2.3 (no member twice).

    Args:
        data: UTF-8 without byte order mark; white space and escapes as the writer liked.

    Returns:
        The value; objects keep the order of their members.

    Raises:
        Malformed: not JSON, a repeated member, NaN or infinity, an integer beyond
            2**53 - 1 either way, or nesting deeper than `MAX_DEPTH`.
    """
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed("JSON (RFC 8259): does not parse") from error
    _check_depth(value)
    try:
        # Writing it again gives the same bytes only if no member stood there twice, because a
        # dict writes each name once, and only if no integer was rounded to a double.
        if orjson.dumps(value, None, orjson.OPT_STRICT_INTEGER) == data:
            return value
    except orjson.JSONEncodeError as error:
        raise Malformed("JSON (RFC 7493, section 2.2): an integer beyond 53 bits") from error
    return _parse_slowly(data)


def parse_object(data: bytes) -> JsonObject:
    """Read one JSON object; otherwise as `parse`.

    Spec: as `parse`.

    Raises:
        Malformed: as `parse`, or the value is no object.
    """
    value = parse(data)
    if isinstance(value, dict):
        return value
    raise Malformed("JSON (RFC 8259, section 4): not an object")


def parse_canonical(data: bytes) -> JsonObject:
    """Read one JSON object that is written as `serialize` writes it.

    Spec: RFC 8785, section 3.2.

    Raises:
        Malformed: as `parse_object`, also for a double that `serialize` writes like an integer
            beyond 53 bits; or another spelling of the same value.
    """
    value = parse_object(data)
    if serialize(value) != data:
        raise Malformed("JSON (RFC 8785, section 3.2): not the canonical spelling")
    return value


def serialize(value: JsonValue) -> bytes:
    """Write the one canonical spelling of `value`.

    Spec: RFC 8785, sections 3.2.2 (strings, numbers) and 3.2.3 (order of members).

    Args:
        value: integers within 53 bits, finite doubles, text without lone surrogates.

    Returns:
        UTF-8 without white space. A double from 2**53 to 10**21 has no fraction and is written
            like an integer, which `parse` refuses.

    Raises:
        ValueError: a value that I-JSON cannot hold: our own mistake, not the sender's.
    """
    try:
        return orjson.dumps(_ordered(value), None, orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError as error:
        raise ValueError("not an I-JSON value (RFC 7493)") from error


def _ordered(value: JsonValue) -> Any:
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, dict):
        plain = "".join(value).isascii()  # then UTF-16 sorts them as Python does
        names = sorted(value) if plain else sorted(value, key=_utf16)
        return {name: _ordered(value[name]) for name in names}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if isinstance(value, float):
        return orjson.Fragment(_es6_number(value))
    return value


def _utf16(name: str) -> bytes:
    """Sort by UTF-16 code units, as section 3.2.3 demands."""
    return name.encode("utf-16-be", "surrogatepass")


def _es6_number(value: float) -> str:
    """Write a double as ECMAScript does (RFC 8785, section 3.2.2.3)."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN alone differs from itself
        raise ValueError("not an I-JSON value (RFC 7493, section 2.2)")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}e0".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = int(exponent.partition("e")[0]) - len(fraction) + len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= _JS_PLAIN_BELOW:
        return sign + digits.ljust(point, "0")
    if 0 < point <= _JS_PLAIN_BELOW:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _JS_PLAIN_ABOVE < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _check_depth(value: JsonValue) -> None:
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH + 1):
        if _CONTAINERS.isdisjoint(map(type, level)):
            return
        below: list[JsonValue] = []
        for item in level:
            if type(item) is dict:
                below += item.values()
            elif type(item) is list:
                below += item
        level = below
    raise Malformed("JSON: nested too deep")


def _parse_slowly(data: bytes) -> JsonValue:
    """Read again what orjson accepted, looking at every member and every number."""
    try:
        value: JsonValue = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except ValueError as error:  # pragma: no cover - orjson has accepted these bytes before
        raise Malformed("JSON (RFC 8259): does not parse") from error
    return value


def _members(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("JSON (RFC 7493, section 2.3): a member twice")
    return members


def _integer(digits: str) -> int:
    # Longer than any accepted integer, so that the conversion's cost stays bounded.
    if len(digits) <= len("-9007199254740991"):
        number = int(digits)
        if -_MAX_INTEGER <= number <= _MAX_INTEGER:
            return number
    raise Malformed("JSON (RFC 7493, section 2.2): an integer beyond 53 bits")


def _no_constant(_name: str) -> NoReturn:  # pragma: no cover - orjson has refused it before
    raise Malformed("JSON (RFC 8259, section 6): no NaN, no infinity")
