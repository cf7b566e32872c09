"""A holder's choice: an SD-JWT and the claims to show become the SD-JWT to send.

Carries out RFC 9901, section 7.2. Showing a claim shows what holds it, never what it holds:
a nested claim is a choice of its own. The answer to the verifier's question is added by
`crypto.sdjwt.key_binding`; which claims may be asked is not decided here.
"""

from collections.abc import Collection, Iterator

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import MAX_DEPTH, JsonObject, JsonValue
from crypto.errors import Malformed
from crypto.sdjwt import disclosure, sd_jwt
from crypto.sdjwt.disclosure import Path
from crypto.sdjwt.sd_jwt import SdJwt


def present(credential: SdJwt, *, paths: Collection[Path]) -> str:
    """Keep only the disclosures that the holder chose, and those around them.

    Spec: RFC 9901, section 7.2.

    Args:
        credential: taken apart, and verified on receipt (`verify.verify_issued`).
        paths: names and indices from the top; an index counts all elements of the array as
            it was issued, hidden ones included. Always visible claims may be named too.

    Returns:
        The compact form, disclosures in the order in which the issuer gave them.

    Raises:
        Malformed: a disclosure or digest does not parse.
        ValueError: a path that leads to no claim.
    """
    places = _Places(credential)
    chosen: set[str] = set()
    for path in paths:
        if path not in places.known:
            raise ValueError("no claim at this path")
        for length in range(1, len(path) + 1):
            text = places.disclosable.get(path[:length])
            if text is not None:
                chosen.add(text)
    kept = [text for text in credential.disclosures if text in chosen]
    return sd_jwt.write(credential.issuer_jwt, kept)


def disclosable(credential: SdJwt) -> tuple[Path, ...]:
    """List the paths that a holder can choose to show.

    Spec: RFC 9901, section 4.2.

    Args:
        credential: taken apart, and verified on receipt.

    Returns:
        One path for each disclosure in it, outer before inner.

    Raises:
        Malformed: a disclosure or digest does not parse.
    """
    return tuple(_Places(credential).disclosable)


class _Places:
    """Where each claim of a credential stands, and which disclosure shows it."""

    __slots__ = ("_by_digest", "disclosable", "known")

    def __init__(self, credential: SdJwt) -> None:
        self._by_digest = {disclosure.digest(text): text for text in credential.disclosures}
        self.disclosable: dict[Path, str] = {}
        self.known: set[Path] = set()
        self._visit(canonical_json.parse_object(credential.issuer.payload), ())

    def _visit(self, value: JsonValue, path: Path) -> None:
        if len(path) > MAX_DEPTH:
            raise Malformed("SD-JWT: nested too deep")
        self.known.add(path)
        if isinstance(value, dict):
            for name, member in self._members(value, path):
                self._visit(member, (*path, name))
        elif isinstance(value, list):
            for at, item in enumerate(value):
                self._visit_element(item, (*path, at))

    def _members(self, members: JsonObject, path: Path) -> Iterator[tuple[str, JsonValue]]:
        for name, value in members.items():
            if name not in disclosure.RESERVED:
                yield name, value
        digests = members.get(disclosure.DIGESTS, [])
        if not isinstance(digests, list):
            raise Malformed("SD-JWT (RFC 9901, section 4.2.4.1): `_sd` is not an array")
        for digest in digests:
            text = self._by_digest.pop(str(digest), None)
            if text is not None:
                _, name_below, value = disclosure.parse(text)
                if name_below is None:
                    raise Malformed("SD-JWT (RFC 9901, 7.1, step 3.3.2.1): not three elements")
                self.disclosable[(*path, name_below)] = text
                yield name_below, value

    def _visit_element(self, item: JsonValue, path: Path) -> None:
        if not isinstance(item, dict) or disclosure.PLACEHOLDER not in item:
            self._visit(item, path)
            return
        text = self._by_digest.pop(str(item[disclosure.PLACEHOLDER]), None)
        if text is not None:
            _, name, value = disclosure.parse(text)
            if name is not None:
                raise Malformed("SD-JWT (RFC 9901, 7.1, step 3.3.3.1): not two elements")
            self.disclosable[path] = text
            self._visit(value, path)
