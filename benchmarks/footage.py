"""How fast video is read, and how much memory that takes, against decoding alone.

    python -m benchmarks.footage --out docs/benchmarks/<date>-footage.md

Speed: a clip made on the spot (1920 x 1080, H.264, 25 frames a second, six people at any time) and
any ``--clip`` of one's own, read as a worker reads it: five samples a second, faces found, followed
and read. Decoding alone takes the same samples with the same decoder. The two take turns in one
process. Seconds of the processor stand beside those of the clock: on a machine that does other work
as well, theirs is the ratio to trust.

The clip that is made comes twice. ``made`` has a background of one colour, no noise, and the
encoder's fastest setting without entropy coding by arithmetic and without deblocking: no camera's
footage is as cheap to decode, so its ratio to decoding alone is the worst there can be. ``filmed``
is the same with the noise of a sensor, encoded as cameras do, at 4 Mbit/s.

``--model`` names the folder of another exported model of ours: the clips are read with it as well.

With ``--peers``, ``fer`` and ``deepface`` read the same clips, taking turns with ours; each is
installed on the first run, in an environment of its own. ``fer`` reads them as its users would
(``Video.analyze``, every frame that falls on the same grid, nothing drawn or saved). ``deepface``
is given the same frames (``DeepFace.analyze``, its default detector, OpenCV's). Its weights come
neither from PyPI nor with the package, which fetches them when it is first used: the network that
reads faces is left as initialised, which takes as long and tells nothing of faces. Several clips
are told together as well, as if they were one.

Memory: one minute of footage and a long video of the same minute over and over (its packets, not
encoded anew), each read in a process of its own whose highest resident size is told.

Start: see ``benchmarks.worker_start``.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
import platformdirs

from benchmarks.machine import this_machine
from benchmarks.recogniser_peers.catalogue import DEEPFACE, FER, Environment
from benchmarks.recogniser_peers.environments import prepared, python_of
from benchmarks.worker_start import Start
from benchmarks.worker_start import measured as measured_starts
from fer_core import AnalysisOptions, analyse, probe, sample
from fer_core.analysis import detector_for, reader_for
from jobs.memory import share_one_heap
from tests.made_footage import Appearance, write_video

RATE = 5.0
CORES = 2
VIDEO_PEERS: dict[str, tuple[Environment, str]] = {
    "`fer` 25.10 `Video.analyze`": (FER, "benchmarks.recogniser_peers.fer_video"),
    "`deepface` 0.0.103 `analyze`": (DEEPFACE, "benchmarks.recogniser_peers.deepface_video"),
}
"""What is installed, and the module that reads a video with it."""

SENSOR_NOISE = 3.0
"""Standard deviation, levels of 0 to 255: a small sensor in a lit room."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock and of the processor, medians."""

    clock: float
    processor: float


@dataclass(frozen=True, slots=True)
class Speed:
    name: str
    footage_s: float
    frames: int
    faces: int
    faces_read: int
    people: int
    reading: Spent
    decoding: Spent


def made_crowd(folder: Path, seconds: int) -> Path:
    """Three people who stand and three who walk through, at any time."""
    standing = [
        Appearance(300 + 600 * n, 300 + 90 * n, face_height=70 + 25 * n, look=look)
        for n, look in enumerate(("plain", "warm", "cold"))
    ]
    walking = [
        Appearance(150, 640 + 130 * row, start, start + 20, (1770, 640 + 130 * row), 70, look)
        for start in range(0, seconds, 20)
        for row, look in enumerate(("mirrored", "dark", "plain"))
    ]
    path = folder / "made-1080p.mp4"
    write_video(path, [*standing, *walking], size=(1920, 1080), fps=25, seconds=seconds)
    return path


def filmed(clip: Path, folder: Path) -> Path:
    """The clip as a camera would give it: noisy, and encoded with all that H.264 has."""
    path, random = folder / "filmed-1080p.mp4", np.random.default_rng(4)
    with av.open(str(clip)) as source, av.open(str(path), "w") as out:
        video = source.streams.video[0]
        stream = out.add_stream("libx264", rate=Fraction(video.average_rate or 25))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.bit_rate, stream.options = 4_000_000, {"preset": "veryfast"}
        # One sheet, shown from another corner each time: drawing each anew would take hours.
        height, width, spare = video.height, video.width, 64
        sheet = random.normal(scale=SENSOR_NOISE, size=(height + spare, width + spare, 3))
        noise = np.round(sheet).astype(np.int16)
        for frame in source.decode(video):
            y, x = random.integers(0, spare, 2)
            pixels = frame.to_ndarray(format="bgr24") + noise[y : y + height, x : x + width]
            shown = av.VideoFrame.from_ndarray(np.clip(pixels, 0, 255).astype(np.uint8), "bgr24")
            shown.pts, shown.time_base = frame.pts, frame.time_base
            out.mux(stream.encode(shown))
        out.mux(stream.encode())
    return path


def timed(actions: list[Callable[[], object]], runs: int) -> list[Spent]:
    """Each of the actions in turn, ``runs`` times over."""
    spent: list[list[tuple[float, float]]] = [[] for _ in actions]
    for _ in range(runs):
        for mine, action in zip(spent, actions, strict=True):
            clock, processor = time.perf_counter(), time.process_time()
            action()
            mine.append((time.perf_counter() - clock, time.process_time() - processor))
    return [Spent(*map(median, zip(*mine, strict=True))) for mine in spent]


def speed(path: Path, runs: int, folder: Path | None = None) -> Speed:
    """``folder``: of the model; the shipped one by default."""
    options = AnalysisOptions(rate=RATE)
    model = reader_for(options, CORES, folder)
    detector = detector_for(options, CORES)
    info = probe(path)

    def read() -> None:
        results[:] = analyse(path, model, options, detector)

    def decode() -> None:
        for _ in sample(path, 0, info.duration_ms, rate=RATE):
            pass

    results = list(analyse(path, model, options, detector))  # lays the networks out
    reading, decoding = timed([read, decode], runs)
    predictions = [p for result in results for p in result.predictions]
    return Speed(
        name=f"{path.name}, {info.width} x {info.height}, {info.codec}"
        + (f", model {model.card.version}" if folder else ""),
        footage_s=info.duration_ms / 1000,
        frames=sum(result.frames for result in results),
        faces=len(predictions),
        faces_read=sum(p.probabilities is not None for p in predictions),
        people=sum(track.lead_in is None for result in results for track in result.tracks),
        reading=reading,
        decoding=decoding,
    )


@dataclass(frozen=True, slots=True)
class Round:
    """The faces that one side read, and how long it took by the clock."""

    faces: int
    seconds: float

    @property
    def speed(self) -> float:
        """Faces a second."""
        return self.faces / self.seconds


@dataclass(frozen=True, slots=True)
class Compared:
    """Ours and a peer on the same frames, round by round."""

    peer: str
    ours: list[Round]
    theirs: list[Round]

    def times_as_many(self) -> tuple[float, float, float]:
        """Faces a second, ours over theirs: the lowest, middle and highest round. Infinite
        where the peer finds none."""
        ratios = sorted(
            one.speed / other.speed if other.faces else math.inf
            for one, other in zip(self.ours, self.theirs, strict=True)
        )
        return ratios[0], median(ratios), ratios[-1]

    def times_as_fast(self) -> float:
        """Through the same frames, however many faces either side finds there."""
        return median(
            other.seconds / one.seconds for one, other in zip(self.ours, self.theirs, strict=True)
        )


def compare(peer: str, path: Path, runs: int, cache: Path, folder: Path | None = None) -> Compared:
    """Both read the clip with all cores, in turns. ``peer``: of VIDEO_PEERS."""
    environment, module = VIDEO_PEERS[peer]
    python = python_of(prepared(environment, cache))
    info, options = probe(path), AnalysisOptions(rate=RATE)
    every = round((info.frame_rate or RATE) / RATE)
    command = [str(python), "-m", module, str(path), str(every), str(CORES)]
    model = reader_for(options, CORES, folder)
    detector = detector_for(options, CORES)
    compared = Compared(peer, [], [])
    for _ in range(runs):
        began = time.perf_counter()
        results = list(analyse(path, model, options, detector))
        read = sum(p.probabilities is not None for r in results for p in r.predictions)
        compared.ours.append(Round(read, time.perf_counter() - began))
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, _, found = (float(part) for part in told.split()[-3:])
        compared.theirs.append(Round(round(found), seconds))
    return compared


def together(parts: list[Compared]) -> Compared:
    """Several clips as if they were one."""

    def joined(rounds: Iterable[Round]) -> Round:
        rounds = list(rounds)
        return Round(sum(one.faces for one in rounds), sum(one.seconds for one in rounds))

    ours = [joined(rounds) for rounds in zip(*(part.ours for part in parts), strict=True)]
    theirs = [joined(rounds) for rounds in zip(*(part.theirs for part in parts), strict=True)]
    return Compared(parts[0].peer, ours, theirs)


def repeated(source: Path, times: int, target: Path) -> None:
    """The source's packets ``times`` over, one after the other."""
    with av.open(str(target), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(source)) as read:
                video = read.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = 0
                for packet in read.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
                shift += end


def peak_mib(path: Path) -> float:
    """The highest resident size, in MiB, of a process that reads the video."""
    command = [sys.executable, "-m", "benchmarks.footage", "--memory-of", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(told.stdout.split()[-1])


def read_and_tell_peak(path: Path) -> None:
    share_one_heap()
    cv2.setNumThreads(1)
    options = AnalysisOptions(rate=RATE)
    for _ in analyse(path, reader_for(options, CORES), options):
        pass
    # Not getrusage: its figure is never less than what the process had that started this one.
    (peak,) = (
        line.split()[1]
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    print(int(peak) / 1024)


def memory(folder: Path, long_minutes: int) -> tuple[float, float]:
    """MiB for one minute, and for a video of ``long_minutes``."""
    people = [Appearance(180, 180, face_height=80), Appearance(450, 200, look="warm")]
    minute, long = folder / "minute.mp4", folder / "long.mp4"
    write_video(minute, people, size=(640, 360), fps=25, seconds=60)
    repeated(minute, long_minutes, long)
    return peak_mib(minute), peak_mib(long)


def speed_rows(one: Speed) -> list[tuple[str, str]]:
    reading, decoding = one.reading, one.decoding
    at_best = one.footage_s / (reading.processor / CORES)
    return [
        (f"**{one.name}**, {one.footage_s:.1f} s", f"{one.frames} samples, {one.people} people"),
        ("faces found; read", f"{one.faces}; {one.faces_read}"),
        ("reading, by the clock", f"{reading.clock:.2f} s"),
        ("decoding alone, by the clock", f"{decoding.clock:.2f} s"),
        ("reading over decoding alone", f"{reading.clock / decoding.clock:.2f}"),
        ("the same in seconds of the processor", f"{reading.processor / decoding.processor:.2f}"),
        ("footage seconds a second", f"{one.footage_s / reading.clock:.1f}"),
        (f"the same, were {CORES} cores free for it and always busy", f"{at_best:.1f}"),
        ("milliseconds of the processor a sample", f"{1000 * reading.processor / one.frames:.0f}"),
        ("of these decoding", f"{1000 * decoding.processor / one.frames:.0f}"),
    ]


def peer_rows(one: Compared) -> list[tuple[str, str]]:
    low, middle, high = one.times_as_many()
    ours, theirs = (median(part.speed for part in side) for side in (one.ours, one.theirs))
    return [
        (f"read a second, by the clock ({one.ours[0].faces} faces)", f"{ours:.1f} faces"),
        (f"{one.peer} ({one.theirs[0].faces} faces)", f"{theirs:.1f} faces"),
        ("ours over that (lowest to highest round)", f"{middle:.1f} ({low:.1f} to {high:.1f})"),
        ("its time over ours, the same frames", f"{one.times_as_fast():.1f}"),
    ]


def start_rows(starts: dict[str, Start]) -> list[tuple[str, str]]:
    return [
        ("**start to first prediction**", "by the clock; of the processor"),
        *(
            (kind, f"{start.clock:.2f} s; {start.processor:.2f} s")
            for kind, start in starts.items()
        ),
    ]


def memory_rows(long_minutes: int, minute: float, long: float) -> list[tuple[str, str]]:
    return [
        ("**memory, 640 x 360**, one minute", f"{minute:.0f} MiB"),
        (f"{long_minutes} minutes", f"{long:.0f} MiB"),
        ("long over short", f"{long / minute:.2f}"),
    ]


def page_of(rows: list[tuple[str, str]], now: datetime) -> str:
    """The report as Markdown."""
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    return f"""# Reading footage, {now:%Y-%m-%d}

Command: `python -m benchmarks.footage`. Machine: {this_machine()};
load when it ended (1, 5, 15 minutes): {load}.

| figure | measured |
|---|---|
{table}

{(__doc__ or "").partition("footage.md")[2].strip()}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--clip", type=Path, action="append", default=[], help="one more video")
    parser.add_argument("--model", type=Path, action="append", default=[], help="one more model")
    parser.add_argument("--seconds", type=int, default=60, help="of the clip that is made")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-runs", type=int, default=3, help="rounds with each peer")
    parser.add_argument("--long-minutes", type=int, default=60, help="0: memory is not measured")
    parser.add_argument("--peers", action="store_true", help="compare with fer and deepface")
    parser.add_argument(
        "--cache",
        type=Path,
        default=platformdirs.user_cache_path("satisface") / "benchmarks",
        help="where peers are installed",
    )
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        read_and_tell_peak(arguments.memory_of)
        return
    cv2.setNumThreads(1)
    rows = []
    compared: dict[str, list[Compared]] = {peer: [] for peer in VIDEO_PEERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = made_crowd(folder, arguments.seconds)
        for clip in [made, filmed(made, folder), *arguments.clip]:
            for model in (None, *arguments.model):
                rows += speed_rows(speed(clip, arguments.runs, model))
                for peer in VIDEO_PEERS if arguments.peers else ():
                    one = compare(peer, clip, arguments.peer_runs, arguments.cache, model)
                    rows += peer_rows(one)
                    if clip in arguments.clip and model is None:
                        compared[peer].append(one)
        if len(arguments.clip) > 1 and arguments.peers:
            rows.append(("**all clips given, together**", f"{len(arguments.clip)} clips"))
            for parts in compared.values():
                rows += peer_rows(together(parts))
        starts = measured_starts(arguments.runs)
        rows += start_rows(starts)
        if arguments.long_minutes:
            rows += memory_rows(arguments.long_minutes, *memory(folder, arguments.long_minutes))
    text = page_of(rows, datetime.now(UTC))
    if arguments.out:
        arguments.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
