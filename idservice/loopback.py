"""Which addresses are on this machine, said without asking a name server."""

import ipaddress
from urllib.parse import urlsplit


def holds(url: str) -> bool:
    """Say whether an address names this machine only; one that does not parse names none."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
