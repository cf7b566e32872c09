"""Work in several processes; they load this module, so it needs little."""

from collections.abc import Callable

import pytest

from idservice.linkability.city import processes
from idservice.linkability.city.processes import Progress


class Noted:
    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        self.begun[what], self.done[what] = total, 0

        def step(steps: int) -> None:
            self.done[what] += steps

        return step


def double(part: int, progress: Progress) -> int:
    progress.begin(f"part {part}", 1)(1)
    step = progress.begin(f"part {part} again", abs(part))
    for _ in range(abs(part)):
        step(1)
    return 2 * part


def stumble(part: int, _progress: Progress) -> int:
    raise ValueError(f"part {part}")


@pytest.mark.parametrize("parts", [[3, -4], [5]])
def test_work_is_done_side_by_side_and_handed_back_in_order(parts: list[int]) -> None:
    progress = Noted()
    assert processes.side_by_side(double, parts, progress) == [2 * part for part in parts]
    assert progress.begun == progress.done
    assert progress.done == {
        name: steps
        for part in parts
        for name, steps in ((f"part {part}", 1), (f"part {part} again", abs(part)))
    }


def test_a_process_that_stumbles_ends_all() -> None:
    with pytest.raises(processes.Failed, match="ValueError: part"):
        processes.side_by_side(stumble, [1, 2], Noted())
