"""Which samples of a video are read mirrored."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.analysis import analyse
from fer_core.detection import YuNetDetector
from fer_core.options import AnalysisOptions
from tests.fixed_reading import FixedModel
from tests.made_footage import Appearance, write_video


class Recorded(FixedModel):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[NDArray[np.int64]] = []

    def read(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        self.shown.extend(crops.astype(np.int64))
        return super().read(crops, views)

    def is_mirrored(self) -> list[bool]:
        """Of each crop, whether it is the mirror image of the first."""
        first = self.shown[0]
        return [
            bool(np.abs(first - crop).mean() > np.abs(first - crop[:, ::-1]).mean())
            for crop in self.shown
        ]


@pytest.mark.parametrize(("fps", "rate"), [(5, 10), (7.5, 10), (15, 30), (10, 5), (29.97, 5)])
def test_every_other_sample_is_mirrored_however_many_frames_there_are(
    tmp_path: Path, fps: float, rate: float
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(160, 90)], (320, 180), fps=fps, seconds=4)
    for segment_ms in (4000, 1400):
        model = Recorded()
        options = AnalysisOptions(rate=rate, search_ms=0, segment_ms=segment_ms)
        list(analyse(tmp_path / "a.mp4", model, options, YuNetDetector(min_face=36)))
        assert len(model.shown) >= 4 * min(fps, rate) - 1
        assert model.is_mirrored() == [number % 2 == 1 for number in range(len(model.shown))]
