"""Answers in JSON, with no more work around them than they need."""

import orjson
from starlette.responses import Response


class Json(Response):
    """An answer with a body in JSON; its two headers are known and need not be worked out."""

    media_type = "application/json"

    def __init__(self, content: object, status_code: int = 200) -> None:
        self.status_code = status_code
        self.background = None
        self.body = orjson.dumps(content)
        self.raw_headers = [
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"application/json"),
        ]
