"""What is measured: one entry a figure, with its bar, and what each peer leaves out."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from operator import ge, le


class Group(StrEnum):
    """A section of the page."""

    SD_JWT = "SD-JWT VC"
    BBS = "BBS"
    HTTP = "HTTP"
    ISSUANCE = "Issuing"
    LOG = "The log and the register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A ratio, or an absolute number where the title says so; no `bar`: nothing is promised."""

    id: str
    group: Group
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
        group=Group.SD_JWT,
        title="`verify_presentation`, everything on, over RAW2",
        sign="≤",
        bar=1.40,
    ),
    Figure(
        id="sdjwt.overhead_over_raw2",
        group=Group.SD_JWT,
        title="the same with signatures stubbed, over RAW2",
        sign="≤",
        bar=0.28,
    ),
    Figure(
        id="sdjwt.fresh_holder_over_raw2",
        group=Group.SD_JWT,
        title="RAW2 with the holder's key loaded anew each time, over RAW2",
    ),
    Figure(
        id="sdjwt.pypi_sd_jwt_over_ours",
        group=Group.SD_JWT,
        title="PyPI `sd-jwt` over ours, status and policy off",
        sign="≥",
        bar=2.3,
    ),
    Figure(
        id="sdjwt.openvc_core_over_ours",
        group=Group.SD_JWT,
        title="`openvc-core` over ours, status and policy off",
        sign="≥",
        bar=1.45,
    ),
    Figure(
        id="sdjwt.node_sd_jwt_vc_over_ours",
        group=Group.SD_JWT,
        title="`@sd-jwt/sd-jwt-vc` on Node over ours, status and policy off",
        sign="≥",
        bar=2.5,
    ),
    Figure(
        id="bbs.verify_over_floor",
        group=Group.BBS,
        title="verifying a proof of base BBS, 3 of 10 messages shown, over its floor",
        sign="≤",
        bar=1.10,
    ),
    Figure(
        id="bbs.overhead_over_floor",
        group=Group.BBS,
        title="the same with the curve library stubbed, over its floor",
    ),
    Figure(
        id="bbs.verify_30_over_floor",
        group=Group.BBS,
        title="3 of 30 messages shown, over its floor",
    ),
    Figure(
        id="bbs.real_credential_over_floor",
        group=Group.BBS,
        title="verifying a showing of the credential, over its floor",
        sign="≤",
        bar=1.10,
    ),
    Figure(
        id="bbs.real_credential_overhead_over_floor",
        group=Group.BBS,
        title="the same with the curve library stubbed, over its floor",
    ),
    Figure(
        id="bbs.pseudonym_over_floor",
        group=Group.BBS,
        title="a showing with a pseudonym, over its floor",
    ),
    Figure(
        id="bbs.presentation_over_floor",
        group=Group.BBS,
        title="`verify_presentation`, everything on, over the credential's floor",
    ),
    Figure(
        id="bbs.verify_over_arkworks",
        group=Group.BBS,
        title="base BBS 10/3 over the same on the fallback library, arkworks",
        sign="≤",
        bar=0.60,
    ),
    Figure(
        id="bbs.real_credential_over_arkworks",
        group=Group.BBS,
        title="the credential over the same on arkworks",
        sign="≤",
        bar=0.60,
    ),
    Figure(
        id="bbs.batch100_over_floor",
        group=Group.BBS,
        title="a batch of 100 over its own group operations but the pairings",
        sign="≤",
        bar=1.20,
    ),
    Figure(
        id="bbs.batch100_over_proofs_floor",
        group=Group.BBS,
        title="the same, the weighted sums of the batch left out of the floor too",
    ),
    Figure(
        id="bbs.pairing_crypto_over_ours",
        group=Group.BBS,
        title="`@mattrglobal/pairing-crypto` over ours, base BBS 10/3",
        sign="≥",
        bar=10,
    ),
    Figure(
        id="bbs.digitalbazaar_over_ours",
        group=Group.BBS,
        title="`@digitalbazaar/bbs-signatures` over ours, base BBS 10/3",
        sign="≥",
        bar=50,
    ),
    Figure(
        id="http.single_over_inprocess",
        group=Group.HTTP,
        title="SD-JWT: `POST /v1/verify` over in-process",
        sign="≥",
        bar=0.55,
    ),
    Figure(
        id="http.batch100_over_inprocess",
        group=Group.HTTP,
        title="SD-JWT: `POST /v1/verify/batch` of 100 over in-process",
        sign="≥",
        bar=0.88,
    ),
    Figure(
        id="bbs.http_single_over_inprocess",
        group=Group.HTTP,
        title="BBS: `POST /v1/verify` over in-process",
        sign="≥",
        bar=0.60,
    ),
    Figure(
        id="bbs.http_batch100_over_inprocess",
        group=Group.HTTP,
        title="BBS: `POST /v1/verify/batch` of 100 over in-process batches of 100",
        sign="≥",
        bar=0.90,
    ),
    Figure(
        id="issuance.credential_over_sign",
        group=Group.ISSUANCE,
        title="one credential of every catalogue claim over one bare P-256 signature",
    ),
    Figure(
        id="issuance.batch20_over_raw20",
        group=Group.ISSUANCE,
        title="a batch of 20 with its key proofs over 20 bare verifications and signatures",
    ),
    Figure(
        id="log.append_per_s",
        group=Group.LOG,
        title="entries appended a second, synced and published, SQLite",
        sign="≥",
        bar=200,
    ),
    Figure(
        id="log.append_postgresql_per_s",
        group=Group.LOG,
        title="the same on PostgreSQL",
        sign="≥",
        bar=200,
    ),
    Figure(
        id="log.included_p99_ms",
        group=Group.LOG,
        title="milliseconds until an entry stands in a published checkpoint, 99 of 100, SQLite",
        sign="≤",
        bar=2000,
    ),
    Figure(
        id="log.included_postgresql_p99_ms",
        group=Group.LOG,
        title="the same on PostgreSQL",
        sign="≤",
        bar=2000,
    ),
    Figure(
        id="log.full_check_100k_s",
        group=Group.LOG,
        title="seconds of an outsider's check of 100,000 entries",
        sign="≤",
        bar=30,
    ),
    Figure(
        id="log.check_10_more_s",
        group=Group.LOG,
        title="seconds of the next check, ten entries later",
        sign="≤",
        bar=1,
    ),
    Figure(
        id="register.policy_check_ms",
        group=Group.LOG,
        title="milliseconds of a wallet's check of a request and its policy, one of 1,000, offline",
        sign="≤",
        bar=2,
    ),
    Figure(
        id="register.bundle_mib",
        group=Group.LOG,
        title="MiB of the bundle of a city with 1,000 policies, its register inside",
        sign="≤",
        bar=3,
    ),
    Figure(
        id="register.bundle_load_s",
        group=Group.LOG,
        title="seconds of loading it: every decision checked up to the charter",
        sign="≤",
        bar=1,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BbsPeer:
    """Another implementation of base BBS."""

    name: str
    """Also the key in `about.versions`."""
    table: str
    """The row in `about.tables.bbs_peers_ms`."""
    note: str


BBS_PEERS = (
    BbsPeer(
        name="@mattrglobal/pairing-crypto",
        table="pairing_crypto",
        note="Rust compiled to WebAssembly; proofs of an earlier draft, with two points instead of"
        " three",
    ),
    BbsPeer(
        name="@digitalbazaar/bbs-signatures",
        table="digitalbazaar",
        note="JavaScript on `@noble/curves`; the same draft, so it verifies our proofs",
    ),
)
