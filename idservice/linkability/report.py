"""A run as JSON, as Markdown and as a table of at most 80 columns."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from crypto.encoding.canonical_json import JsonObject
from idservice.linkability.course import Result
from idservice.linkability.game import Row

SAYS: Final = (
    "That two showings of a BBS credential cannot be linked is a theorem of the scheme. The game"
    " hunts what an implementation can add to it: a byte, a length, an order, an index, a date"
    " that follows a person. Network addresses, the hour of a showing and rare facts are outside."
)
HEADINGS: Final = ("who", "links", "AUC", "ideal", "99 % of the difference", "TPR", "matched")

_DIGITS = 5


def figures(row: Row) -> tuple[str, ...]:
    """Write one row of the table."""
    apart, matching = row.difference, row.matching
    return (
        row.adversary.value,
        row.links,
        f"{row.area.value:.3f}",
        f"{row.ideal:.3f}",
        f"{apart.low:+.4f} {apart.high:+.4f}",
        f"{row.true_positives:.2%}",
        f"{matching.right} ({matching.ideal:.0f})",
    )


def to_json(result: Result, *, seconds: float | None) -> JsonObject:
    """Write everything."""
    return {
        "holds": result.holds,
        "residents": result.wish.residents,
        "town": result.wish.town,
        "seed": result.wish.seed,
        "formats": list(result.wish.formats),
        "seconds": None if seconds is None else round(seconds),
        "says": SAYS,
        "bars": [
            {"what": bar.what, "holds": bar.holds, "figure": bar.figure} for bar in result.bars
        ],
        "city": [_row(row) for row in result.city],
        "small_town": [_row(row) for row in result.town],
        "planted": [_row(row) for row in result.planted],
        "tagging": [
            {
                "format": attempt.format,
                "mark": attempt.mark,
                "kept": attempt.kept,
                "said": attempt.said,
            }
            for attempt in result.attempts
        ],
    }


def _row(row: Row) -> JsonObject:
    found: JsonObject = {
        "format": row.format,
        "adversary": row.adversary.value,
        "links": row.links,
        "residents": row.residents,
        "auc": _rounded(asdict(row.area)),
        "auc_ideal": round(row.ideal, _DIGITS),
        "difference": _rounded(asdict(row.difference)),
        "tpr_at_0_1_percent": round(row.true_positives, _DIGITS),
        "tpr_at_0_1_percent_ideal": round(row.ideal_true_positives, _DIGITS),
        "matching": _rounded(asdict(row.matching)),
        "worst_group": None,
        "curve": [[round(value, _DIGITS + 1) for value in point] for point in row.curve],
    }
    if row.worst is not None:
        found["worst_group"] = {
            "name": row.worst.name,
            "size": row.worst.size,
            "auc": _rounded(asdict(row.worst.area)),
        }
    return found


def _rounded(values: dict[str, float]) -> JsonObject:
    return {name: round(value, _DIGITS) for name, value in values.items()}


def markdown(result: Result, *, seconds: float | None) -> str:
    """Write the report; the plots lie beside it."""
    wish = result.wish
    took = "" if seconds is None else f" It took {seconds:.0f} seconds."
    parts = [
        "# The linkability game\n",
        SAYS + "\n",
        (
            f"`idservice audit linkability --residents {wish.residents} --seed {wish.seed}`:"
            f" {'every bar holds' if result.holds else '**a bar fails**'}.{took}\n"
        ),
        "## The city\n",
        (
            f"{wish.residents:,} residents, each with one pair of showings of their own and one"
            " with somebody who shows equal facts. V: verifiers pool what they saw. D: they also"
            " hold the issuer's stores and all keys. M: they also hold what an issuer recorded at"
            " every issuance. TPR is at 0.1 % FPR. In brackets: the ideal world.\n"
        ),
        _table(result.city),
        "![Difference from the ideal world](differences.svg)\n",
        "![True against false positive rate](curves.svg)\n",
        f"## A town of {wish.town}\n",
        "Too few people for a narrow interval; on SQLite, with the rows read from its files.\n",
        _table(result.town),
        "## Controls\n",
        _table(result.planted),
        _tagging(result),
        "## Bars\n",
        *(
            f"- {'holds' if bar.holds else '**fails**'}: {bar.what} ({bar.figure})"
            for bar in result.bars
        ),
        "",
    ]
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| format | " + " | ".join(HEADINGS) + " | worst group |",
        "| --- |" + " --- |" * (len(HEADINGS) + 1),
    ]
    for row in rows:
        worst = row.worst
        group = "" if worst is None else f"{worst.name} ({worst.size}): {worst.area.value:.3f}"
        lines.append(f"| {row.format} | " + " | ".join(figures(row)) + f" | {group} |")
    return "\n".join([*lines, ""])


def _tagging(result: Result) -> str:
    lines = ["| format | an issuer gives one person | the wallet |", "| --- | --- | --- |"]
    lines += [
        f"| {attempt.format} | {attempt.mark} | {attempt.said or 'keeps it'} |"
        for attempt in result.attempts
    ]
    return "\n".join([*lines, ""])
