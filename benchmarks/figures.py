"""What is measured: one entry a figure, with its bar, and what each peer leaves out."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, le


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A ratio; `bar` is `None` where nothing is promised."""

    id: str
    title: str
    sign: str = ""
    bar: float | None = None

    def reached(self, value: float) -> bool:
        """Say whether `value` is on the right side of the bar."""
        compare: Callable[[float, float], bool] = le if self.sign == "≤" else ge
        return self.bar is None or compare(value, self.bar)


FIGURES = (
    Figure(
        id="sdjwt.verify_over_raw2",
        title="`verify_presentation`, everything on, over RAW2",
        sign="≤",
        bar=1.40,
    ),
    Figure(
        id="sdjwt.overhead_over_raw2",
        title="the same with signatures stubbed, over RAW2",
        sign="≤",
        bar=0.28,
    ),
    Figure(
        id="sdjwt.fresh_holder_over_raw2",
        title="RAW2 with the holder's key loaded anew each time, over RAW2",
    ),
    Figure(
        id="sdjwt.pypi_sd_jwt_over_ours",
        title="PyPI `sd-jwt` over ours, status and policy off",
        sign="≥",
        bar=2.3,
    ),
    Figure(
        id="sdjwt.openvc_core_over_ours",
        title="`openvc-core` over ours, status and policy off",
        sign="≥",
        bar=1.45,
    ),
    Figure(
        id="sdjwt.node_sd_jwt_vc_over_ours",
        title="`@sd-jwt/sd-jwt-vc` on Node over ours, status and policy off",
        sign="≥",
        bar=2.5,
    ),
    Figure(
        id="http.single_over_inprocess",
        title="`POST /v1/verify` over in-process, presentations a second",
        sign="≥",
        bar=0.55,
    ),
    Figure(
        id="http.batch100_over_inprocess",
        title="`POST /v1/verify/batch` of 100 over in-process, presentations a second",
        sign="≥",
        bar=0.88,
    ),
    Figure(
        id="issuance.credential_over_sign",
        title="one credential of every catalogue claim over one bare P-256 signature",
    ),
    Figure(
        id="issuance.batch20_over_raw20",
        title="a batch of 20 with its key proofs over 20 bare verifications and signatures",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom we are compared with, and what it does not check."""

    name: str
    version: str
    """The key in `about.versions`."""
    time: str
    """The key in `about.times_in_raw2`."""
    omits: str


PEERS = (
    Peer(
        name="PyPI `sd-jwt`",
        version="sd-jwt",
        time="pypi_sd_jwt",
        omits="`exp` and `nbf`; age of the holder's answer; `typ`; `vct`; disclosures that no"
        " digest refers to; repeated JSON members; private members in the holder's key;"
        " certificate path",
    ),
    Peer(
        name="`openvc-core`",
        version="openvc-core",
        time="openvc_core",
        omits="repeated JSON members; private or contradicting members in the holder's key;"
        " certificate path (not in this call)",
    ),
    Peer(
        name="`@sd-jwt/sd-jwt-vc`",
        version="@sd-jwt/sd-jwt-vc",
        time="node_sd_jwt_vc",
        omits="audience (the benchmark compares it); age of the holder's answer; `typ`; `crit`;"
        " `vct` (the benchmark compares it); disclosures that no digest refers to; repeated JSON"
        " members; private or contradicting members in the holder's key; certificate path",
    ),
)
