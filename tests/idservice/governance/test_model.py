"""What people write beside the log: all of it can be seen by whoever reads it."""

import pytest

from crypto.errors import Malformed
from idservice.governance import model

WRITTEN = (
    "Why?\nWe were not asked.\n\n  And now?",
    "\u3000図書館の前に。\n\u3000\u3000なぜ?",
    "\u200eCity Hall\u200e אמר",
    "می\u200cخو",
    "Thanks \u2764\ufe0f \U0001f469\u200d\U0001f4bb",
)
HIDING = {
    "nothing": "",
    "blanks": " \n\u3000",
    "joiners": "\u200d\n",
    "filler": "\u3164",
    "braille blank": "a\u2800b",
    "override": "a\u202eb",
    "NUL": "a\0b",
    "half a letter": "\ud800",
    "a pile of marks": "z" + "\u0336" * 5,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_can_be_shown(text: str) -> None:
    model.check_shown(text)


@pytest.mark.parametrize("text", HIDING.values(), ids=HIDING)
def test_what_nobody_sees_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        model.check_shown(text)
