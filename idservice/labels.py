"""What claims and purposes of the catalogue are called where people read them, in English.

Used on the register's pages and wherever somebody is asked to agree. The identifiers that
machines use stand in `catalogue.py`; other languages are translations of these texts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from idservice import catalogue
from idservice.catalogue import Purpose

PURPOSES: Final[Mapping[Purpose, str]] = MappingProxyType(
    {
        Purpose.RESIDENT_SERVICE: "a service for residents",
        Purpose.LIBRARY_MEMBERSHIP: "library membership",
        Purpose.AGE_CHECK: "an age check",
        Purpose.ACCOUNT_OPENING: "opening an account",
        Purpose.CLINIC_REGISTRATION: "registration at a clinic",
        Purpose.SCHOOL_ENROLMENT: "enrolment at a school",
        Purpose.IDENTITY_CHECK: "an identity check",
    }
)
CLAIMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "given_name": "given name",
        "family_name": "family name",
        "birth_date": "date of birth",
        **{f"age_over_{age}": f"that you are {age} or older" for age in catalogue.AGE_THRESHOLDS},
        "resident": "that you live in the city",
        "locality": "town",
        "portrait": "photograph",
        "gender": "gender",
        "address.care_of": "address: care of",
        "address.street_address": "address: street",
        "address.postal_code": "address: postal code",
        "address.locality": "address: town",
        "renewal_handle": "renewal handle (for the issuer only)",
        "enrolled_until": "enrolled until (for the issuer only)",
    }
)
BARRED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "immigration_enforcement": "immigration enforcement",
        "advertising": "advertising",
        "hiring": "checking people who apply for work",
        "login": "logging in anywhere",
        "payment": "payment",
        "stored_value": "stored value",
        "benefits": "benefits",
    }
)
"""What nobody may ever ask for; no vote changes that, only another program would."""
