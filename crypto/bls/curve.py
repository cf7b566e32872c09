"""Which library stands behind the curve here: blst, or what can only verify.

blst is looked for once, when this module is loaded, in the shared library of `ckzg`. Left out:
hashing a message to the curve (`crypto.bbs.ciphersuite`), and what is signed and proved.
"""

from typing import Final

import ckzg  # type: ignore[import-not-found]  # an extension module without types

from crypto.bls import blst
from crypto.bls.arkworks import Arkworks
from crypto.bls.blst import Blst
from crypto.bls.group import UNAVAILABLE, Backend, SigningUnavailable

_BLST: Final = blst.find(ckzg.__file__)

BACKEND: Final[Backend] = _BLST or Arkworks()
"""What verifies."""


def secret() -> Blst:
    """Return what may hold secrets.

    Raises:
        SigningUnavailable: with a sentence for people.
    """
    if _BLST is None:
        raise SigningUnavailable(UNAVAILABLE)
    return _BLST
