"""Bodies from outside: types, sizes, spelling."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request

from idservice.errors import Code, ServiceError
from idservice.web import bodies

JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"application/x-www-form-urlencoded")


def request(
    headers: Iterable[tuple[bytes, bytes]], *chunks: bytes, complete: bool = True
) -> Request:
    messages = [
        {"type": "http.request", "body": chunk, "more_body": not complete or i < len(chunks) - 1}
        for i, chunk in enumerate(chunks or (b"",))
    ]
    messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


def read_json(headers: Iterable[tuple[bytes, bytes]], *chunks: bytes, limit: int = 100) -> object:
    return asyncio.run(bodies.read_json(request(headers, *chunks), limit=limit))


def refusal(headers: Iterable[tuple[bytes, bytes]], *chunks: bytes, limit: int = 100) -> Code:
    with pytest.raises(ServiceError) as caught:
        read_json(headers, *chunks, limit=limit)
    return caught.value.code


def test_object_is_read_whole_and_in_chunks() -> None:
    assert read_json([JSON], b'{"a":1}') == {"a": 1}
    assert read_json([JSON], b'{"a"', b":1}") == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"1",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":1e400}',
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_one_strict_object_is_bad_json(body: bytes) -> None:
    assert refusal([JSON], body) is Code.BAD_JSON


@pytest.mark.parametrize(
    "after",
    [b"", b";charset=UTF-8", b"; charset=utf-8", b" ;\tCharset=utf-8", b';charset="Utf-8"'],
)
def test_a_charset_that_is_so_anyhow_may_be_said_in_any_spelling(after: bytes) -> None:
    """Without a space is how browsers send a form of theirs."""
    assert read_json([(b"content-type", b"application/JSON" + after)], b"{}") == {}
    form = [(b"content-type", b"application/x-www-form-urlencoded" + after)]
    assert asyncio.run(bodies.read_form(request(form, b"a=1"))) == {"a": "1"}


@pytest.mark.parametrize(
    "after",
    [b";;", b";charset=latin1", b';charset="utf-8', b";charset=utf-8;charset=utf-8", b";q=1"],
)
def test_nothing_else_may_be_said_of_a_media_type(after: bytes) -> None:
    headers = [(b"content-type", b"application/json" + after)]
    assert refusal(headers, b"{}") is Code.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"multipart/form-data; boundary=x")],
        [JSON, (b"content-encoding", b"gzip")],
    ],
)
def test_other_media_type_or_an_encoding_is_unsupported(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert refusal(headers, b"{}") is Code.UNSUPPORTED_MEDIA_TYPE


def test_body_beyond_the_limit_is_refused_by_declaration_and_by_octets() -> None:
    assert refusal([JSON, (b"content-length", b"101")], b"{}") is Code.TOO_LARGE
    assert refusal([JSON, (b"content-length", b"-1")], b"{}") is Code.TOO_LARGE
    assert refusal([JSON], b" " * 101) is Code.TOO_LARGE
    assert refusal([JSON], b" " * 60, b" " * 60) is Code.TOO_LARGE


@pytest.mark.parametrize("piece", [b"1,", b"{},", b"[[[[[[[[[[[[]]]]]]]]]]]],", b'{"a":1},'])
def test_more_values_than_a_batch_needs_are_not_even_read(piece: bytes) -> None:
    few = b'{"items":[' + piece * 1000 + b"1]}"
    assert read_json([JSON], few, limit=bodies.BATCH)
    many = b'{"items":[' + piece * (bodies.VALUES // 2) + piece * (bodies.VALUES // 2) + b"1]}"
    assert refusal([JSON], many, limit=bodies.BATCH) is Code.BAD_JSON


def test_body_that_never_arrives_is_an_invalid_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServiceError) as caught:
        asyncio.run(bodies.read_json(request([JSON], b"{", complete=False)))
    assert caught.value.code is Code.INVALID_REQUEST

    async def silent() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(bodies, "TIME_LIMIT", 0.01)
    slow = Request({"type": "http", "method": "POST", "headers": [JSON]}, silent)
    with pytest.raises(ServiceError) as caught:
        asyncio.run(bodies.read_json(slow))
    assert caught.value.code is Code.INVALID_REQUEST


def test_form_fields_stand_once() -> None:
    assert asyncio.run(bodies.read_form(request([FORM], b"a=1&b=%C3%A9&c="))) == {
        "a": "1",
        "b": "é",
        "c": "",
    }
    for body in (b"a=1&a=2", b"a", b"a=%FF", b"\xff=1", b"&".join(b"a%d=1" % i for i in range(17))):
        with pytest.raises(ServiceError) as caught:
            asyncio.run(bodies.read_form(request([FORM], body)))
        assert caught.value.code is Code.INVALID_REQUEST
    with pytest.raises(ServiceError) as caught:
        asyncio.run(bodies.read_form(request([JSON], b"a=1")))
    assert caught.value.code is Code.UNSUPPORTED_MEDIA_TYPE
