"""A verifier's folder as `idservice init` leaves it, made from a fake city."""

import hashlib
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.x509 import x5c
from idservice.apps import key_files, settings
from idservice.apps.settings import VerifierSettings
from tests.fakes.city import FakeCity
from tests.fakes.verifier_office import API_KEY, REDIRECT_URI


def write(folder: Path, city: FakeCity, *, name: str = "library", **changes: object) -> Path:
    """Write everything that a verifier's process needs; `changes` are members of its file."""
    verifier = city.verifiers[name]
    told: dict[str, object] = {
        "name": verifier.name,
        "base_url": f"https://{verifier.dns_name}",
        "client_id_prefix": "x509_hash",
        "policies": [verifier.policy.id],
        "api_keys": [hashlib.sha256(API_KEY.encode()).hexdigest()],
        "redirect_uris": [REDIRECT_URI],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verifier.json").write_text(json.dumps({**told, **changes}))
    (folder / "bundle.json").write_bytes(city.bundle)
    certificates = (x509.load_der_x509_certificate(der) for der in x5c.decode(verifier.x5c))
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in certificates)
    (folder / "verifier.crt").write_bytes(pem)
    key_files.create_key(folder / "verifier.key", verifier.key)
    return folder


def read(folder: Path) -> VerifierSettings:
    """Read the settings of a folder, with an empty environment."""
    return settings.verifier(folder, environ={})
