"""Credential types, their claims, and which purpose may ask for which claim.

The lists are constants of this software. No setting adds a claim or a purpose, and the barred
purposes stay barred. What a person's claims must look like to be enrolled stands in
`issuer/claims.py`; what a verifier's policy must look like in `verification/policy.py`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

CONFIGURATION: Final = "resident_sd_jwt"
"""The configuration that every wallet can hold (OpenID4VCI `credential_configuration_id`)."""
BBS_CONFIGURATION: Final = "resident_bbs"
"""The experimental configuration whose showings nobody can link."""
CONFIGURATIONS: Final = (CONFIGURATION, BBS_CONFIGURATION)

FORMAT: Final = "dc+sd-jwt"
BBS_FORMAT: Final = "jwp+bbs"
FORMATS: Final = (FORMAT, BBS_FORMAT)
CONFIGURATION_OF: Final[Mapping[str, str]] = MappingProxyType(
    dict(zip(FORMATS, CONFIGURATIONS, strict=True))
)
"""The configuration in which a format is issued."""
BATCH: Final = 20
"""Instances in one issuing: one kept unshown for renewal, the others shown once each."""

AGE_THRESHOLDS: Final = (13, 16, 18, 21, 62, 65)
AGE_CLAIMS: Final = tuple(f"age_over_{age}" for age in AGE_THRESHOLDS)
ADDRESS_MEMBERS: Final = ("care_of", "street_address", "postal_code", "locality")
ADDRESS_CLAIMS: Final = tuple(f"address.{member}" for member in ADDRESS_MEMBERS)
ISSUER_ONLY: Final = ("renewal_handle", "enrolled_until")

PUBLIC_CLAIMS: Final = (
    "given_name",
    "family_name",
    "birth_date",
    *AGE_CLAIMS,
    "resident",
    "locality",
    "portrait",
    "gender",
    *ADDRESS_CLAIMS,
)
"""What a policy may list. A dot separates a member from its object."""

CLAIMS: Final = (*PUBLIC_CLAIMS, *ISSUER_ONLY)
"""What every credential holds, each separately disclosable; `null` where a person has none."""

BBS_SCHEMA: Final = 1
"""Version of the slot order; another order is another version."""
BBS_SLOTS: Final = CLAIMS
"""Which claim stands in which slot of a BBS credential; the bundle says it to everybody."""
HASHED_CLAIMS: Final = frozenset({"portrait"})
"""Claims whose slot is signed by its digest, the octets beside it."""

PORTRAIT_LIMIT: Final = 24 * 1024
"""Octets of the JPEG."""


class Purpose(StrEnum):
    """Why a verifier may ask."""

    RESIDENT_SERVICE = "resident_service"
    LIBRARY_MEMBERSHIP = "library_membership"
    AGE_CHECK = "age_check"
    ACCOUNT_OPENING = "account_opening"
    CLINIC_REGISTRATION = "clinic_registration"
    SCHOOL_ENROLMENT = "school_enrolment"
    IDENTITY_CHECK = "identity_check"


BARRED_PURPOSES: Final = (
    "immigration_enforcement",
    "advertising",
    "hiring",
    "login",
    "payment",
    "stored_value",
    "benefits",
)
"""No policy is ever read that has one of these, whoever signed it."""

_NAME = frozenset({"given_name", "family_name"})
_HOME = frozenset({"resident", "locality", *ADDRESS_CLAIMS})
_AGE = frozenset(AGE_CLAIMS)

ALLOWED: Final[Mapping[Purpose, frozenset[str]]] = MappingProxyType(
    {
        Purpose.RESIDENT_SERVICE: frozenset({"resident", "locality"}) | _AGE,
        Purpose.LIBRARY_MEMBERSHIP: frozenset({"resident", "locality", "given_name"}) | _AGE,
        Purpose.AGE_CHECK: _AGE | {"portrait"},
        Purpose.ACCOUNT_OPENING: _NAME | _HOME | _AGE | {"birth_date", "portrait"},
        Purpose.CLINIC_REGISTRATION: _NAME | _HOME | _AGE | {"birth_date", "gender"},
        Purpose.SCHOOL_ENROLMENT: _NAME | _HOME | _AGE | {"birth_date"},
        Purpose.IDENTITY_CHECK: _NAME | _AGE | {"portrait"},
    }
)
"""The most that a policy with this purpose may list."""
