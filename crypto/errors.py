"""Why bytes are not believed.

`Malformed` does not parse. `Refused` parses and must not be trusted; its subclasses exist
because a verifier answers each with its own code. Misuse by our own code is `ValueError` or
`TypeError`, never one of these.
"""


class CryptoError(Exception):
    """The root of what `crypto` raises about input from outside."""


class Malformed(CryptoError):
    """The bytes do not parse as what they claim to be."""


class Refused(CryptoError):
    """The bytes parse, and must not be trusted."""


class WrongAlgorithm(Refused):
    """Algorithm, type or critical header is not the one that the caller demands."""


class BadSignature(Refused):
    """A signature by the issuing side does not verify."""


class Untrusted(Refused):
    """No path leads from the key to the trusted root, or the certificate has another role."""


class Expired(Refused):
    """The time of validity is over."""


class NotYetValid(Refused):
    """The time of validity has not begun."""


class HolderBinding(Refused):
    """The holder's signed answer is missing, or is not over these bytes by this key."""


class WrongAudience(Refused):
    """The holder's answer was meant for somebody else."""


class WrongNonce(Refused):
    """The holder's answer belongs to another question."""
