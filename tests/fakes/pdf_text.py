"""Read the text of a PDF as a screen reader gets it: replacement text first, then the glyphs' own.

A small reader for what our own layout engine writes: two-octet codes with a ToUnicode map, and
ActualText around clusters whose letters and glyphs do not match one to one.
"""

import io
import re

from pypdf import PdfReader
from pypdf.generic import ContentStream, DictionaryObject, TextStringObject


def pages(pdf: bytes) -> list[str]:
    """Return the text of each page in the order it is drawn, a line for each run of one font."""
    return ["".join(f"{text}\n" for text, _ in page) for page in pieces(pdf)]


def pieces(pdf: bytes) -> list[list[tuple[str, float]]]:
    """Return each page's runs of text with their size in points."""
    reader = PdfReader(io.BytesIO(pdf))
    return [_page(reader, number) for number in range(len(reader.pages))]


def images(pdf: bytes) -> list[bytes]:
    """Return the JPEG files that are embedded, as they stand there."""
    objects = [
        found.get_object()
        for page in PdfReader(io.BytesIO(pdf)).pages
        for found in page["/Resources"].get("/XObject", DictionaryObject()).values()
    ]
    return [found.get_data() for found in objects if found.get("/Filter") == "/DCTDecode"]


def _page(reader: PdfReader, number: int) -> list[tuple[str, float]]:
    page = reader.pages[number]
    fonts = page["/Resources"].get("/Font", DictionaryObject()).get_object()
    maps = {name: _to_unicode(font.get_object()) for name, font in fonts.items()}
    runs: list[tuple[str, float]] = []
    text, size = "", 0.0
    current: dict[int, str] = {}
    replaced: list[bool] = []
    for operands, operator in ContentStream(page.get_contents(), reader).operations:
        match operator:
            case b"BDC" | b"BMC":
                actual = _actual_text(operands)
                replaced.append(actual is not None)
                text += actual or ""
            case b"EMC":
                replaced.pop()
            case b"Tf":
                current, size = maps[operands[0]], float(operands[1])
            case b"Tj" | b"TJ" if not any(replaced):
                text += _decode(operands[0], current)
            case b"ET":
                runs.append((text, size))
                text = ""
            case _:
                pass
    return runs


def _actual_text(operands: list[object]) -> str | None:
    properties = operands[1] if len(operands) > 1 else None
    if isinstance(properties, DictionaryObject) and "/ActualText" in properties:
        value = properties["/ActualText"]
        return str(value) if isinstance(value, TextStringObject) else value.decode("utf-16")
    return None


def _decode(operand: object, codes: dict[int, str]) -> str:
    parts = operand if isinstance(operand, list) else [operand]
    text = ""
    for part in parts:
        octets = getattr(part, "original_bytes", part)
        if isinstance(octets, bytes):
            pairs = (octets[at : at + 2] for at in range(0, len(octets), 2))
            text += "".join(codes.get(int.from_bytes(pair, "big"), "") for pair in pairs)
    return text


def _to_unicode(font: DictionaryObject) -> dict[int, str]:
    source = font["/ToUnicode"].get_object().get_data().decode("latin-1")
    codes: dict[int, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", source, re.DOTALL):
        for code, target in re.findall(r"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>", block):
            codes[int(code, 16)] = bytes.fromhex(target).decode("utf-16-be")
    for block in re.findall(r"beginbfrange(.*?)endbfrange", source, re.DOTALL):
        for first, last, target in re.findall(r"<(\w+)>\s*<(\w+)>\s*<(\w+)>", block):
            for step in range(int(last, 16) - int(first, 16) + 1):
                codes[int(first, 16) + step] = chr(int(target, 16) + step)
    return codes
