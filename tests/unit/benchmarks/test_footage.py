"""What the footage benchmark makes of its rounds."""

import math

from benchmarks.footage import Compared, Round, together


def test_a_peer_that_finds_nobody_is_infinitely_slower() -> None:
    one = Compared("peer", [Round(10, 2.0)], [Round(0, 6.0)])
    assert one.times_as_many() == (math.inf, math.inf, math.inf)
    assert one.times_as_fast() == 3.0


def test_clips_together_are_one_long_clip() -> None:
    full = Compared("peer", [Round(30, 1.0), Round(30, 2.0)], [Round(20, 4.0), Round(20, 4.0)])
    empty = Compared("peer", [Round(0, 1.0), Round(0, 1.0)], [Round(0, 6.0), Round(0, 6.0)])
    both = together([full, empty])
    assert both.ours == [Round(30, 2.0), Round(30, 3.0)]
    assert both.theirs == [Round(20, 10.0), Round(20, 10.0)]
    assert both.times_as_many() == (5.0, 6.25, 7.5)
