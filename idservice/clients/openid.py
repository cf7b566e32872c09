"""The wallet's wire: HTTP to the issuer and to verifiers.

Only `https`, or anything on this machine's loopback addresses, and as `exchange` does it; nothing
in a request tells the wallet or its version. What is sent stands in `wallet/protocol.py`.
"""

from typing import Final, Self

from idservice.clients import exchange
from idservice.clients.exchange import Exchanges, NoAnswer
from idservice.wallet.model import Request, Response, Unusable

TIME_LIMIT: Final = 15.0
"""Seconds that an exchange may take."""


class HttpWire:
    """Sends a wallet's requests."""

    def __init__(self) -> None:
        self._exchanges = Exchanges(seconds=TIME_LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._exchanges.close()

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status.

        Raises:
            Unusable: nobody answered, the address is not allowed, or the answer is too long.
        """
        if not exchange.allowed(request.url):
            raise Unusable("The address is neither https nor on this machine.")
        try:
            status, media_type, body = self._exchanges.send(
                request.method,
                request.url,
                headers={"User-Agent": "wallet", **request.headers},
                body=request.body,
                limit=request.limit,
            )
        except NoAnswer as error:
            raise Unusable(str(error)) from error
        return Response(status=status, media_type=media_type, body=body)
