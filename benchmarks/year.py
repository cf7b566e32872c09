"""A resident's year with each format, computed from measured sizes and the service's own rules.

One enrolment, and a renewal for every further period of 28 days. The wallet's requests are those
of `idservice/wallet/service.py` and `issuing/collect.py`, counted one by one. The printed card is
there because nothing is the least that there can be. Left out: bundles and documents that are
everybody's, and HTTP's own octets.
"""

from collections.abc import Mapping
from typing import Final

from idservice import catalogue, period

SHOWINGS: Final = 100
"""A year: about two a week."""
_DAYS: Final = 365
PERIODS: Final = -(-_DAYS * period.DAY // period.LENGTH)
"""So many are touched at least; the first is fetched at the enrolment."""

OFFER: Final = 1
TAKING: Final = {"dc+sd-jwt": 5, "jwp+bbs": 4}
"""Two documents, the server's and the issuer's, token and credential; a nonce for key proofs."""
ASKING: Final = 3
"""Renewal asks first: the issuer's document, a nonce, the renewal itself."""

Sizes = Mapping[str, Mapping[str, int]]
"""By format and what it is: credential, request, showing, renewal."""


def table(sizes: Sizes) -> str:
    """Write the table."""
    printed = [*["0"] * 4, *["0 kB"] * 3, "-", "whoever sees it twice"]
    columns = {
        "printed card": printed,
        "`dc+sd-jwt`": _column("dc+sd-jwt", sizes["dc+sd-jwt"], instances=catalogue.BATCH),
        "`jwp+bbs`": _column("jwp+bbs", sizes["jwp+bbs"], instances=1),
    }
    rows = [
        "occasions on which the wallet contacts the city",
        "requests in all of them",
        "signatures that the city makes",
        "proofs and signatures that the wallet makes",
        "octets that the city sends as credentials",
        "octets that the wallet sends to the city",
        f"octets of {SHOWINGS} showings",
        "showings in a period that no verifiers can join",
        "who can join two showings by their octets",
    ]
    lines = [
        f"| a year, {SHOWINGS} showings | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for place, row in enumerate(rows):
        lines.append(f"| {row} | " + " | ".join(each[place] for each in columns.values()) + " |")
    return "\n".join([*lines, ""])


def _column(format_: str, sizes: Mapping[str, int], *, instances: int) -> list[str]:
    renewals = PERIODS - 1
    requests = OFFER + TAKING[format_] + renewals * (ASKING + TAKING[format_])
    asked = PERIODS * instances
    alone = instances == 1
    return [
        f"{PERIODS}",
        f"{requests}",
        f"{asked}",
        f"{asked + renewals + SHOWINGS}",
        _octets(asked * sizes["credential"]),
        _octets(asked * sizes["request"] + renewals * sizes["renewal"]),
        _octets(SHOWINGS * sizes["showing"]),
        "any number" if alone else f"{instances - 1}",
        "nobody" if alone else "who also has the city's records",
    ]


def _octets(count: int) -> str:
    return f"{count / 1000:,.0f} kB"
