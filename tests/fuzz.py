"""Damage small valid files at random and see whether anything but a plain error comes out.

    nice .venv/bin/python -m tests.fuzz --minutes 10 --out /tmp/fuzz

Every file of the base (one of each coding, container, picture format, and zips) is cut off,
bit-flipped, spliced and overgrown by hypothesis; then it is probed and sampled, or unpacked, in a
process of its own. Reported are: any exception that is not of ``fer_core.errors``, a process that
dies, one that hangs, one that grows beyond the bound, and a file left behind. What is found lies in
``--out``; keep it, made small, in tests/unit/fer_core/test_found_by_fuzzing.py.
"""

import argparse
import contextlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from fer_core.archive import is_archive, unpack
from fer_core.errors import FootageError
from fer_core.footage import probe, sample
from fer_core.limits import FootageLimits
from tests.made_footage import Appearance, write_picture, write_sound, write_zip
from tests.made_streams import Coding, write_coded

LIMITS = FootageLimits(
    picture_pixels=2_000_000,
    video_pixels=1_000_000,
    duration_ms=600_000,
    archive_entries=50,
    archive_bytes=20_000_000,
)
HANGS_S = 60.0
MEMORY_MB = 1500
SMALL = (64, 48)


def base_files(folder: Path) -> list[Path]:
    """One small valid file of each kind."""
    codings = {
        "h264.mp4": Coding("libx264", size=SMALL),
        "fragments.mp4": Coding(
            "libx264", size=SMALL, container_options={"movflags": "empty_moov+frag_keyframe"}
        ),
        "hevc.mov": Coding("libx265", size=SMALL),
        "h264.mkv": Coding("libx264", size=SMALL),
        "vp8.webm": Coding("libvpx", size=SMALL),
        "vp9.webm": Coding("libvpx-vp9", size=SMALL),
        "av1.mkv": Coding("libsvtav1", size=(64, 64)),
        "mjpeg.avi": Coding("mjpeg", "yuvj420p", size=SMALL),
        "mpeg4.avi": Coding("mpeg4", size=SMALL),
        "h264.ts": Coding("libx264", size=SMALL),
        "mpeg2.mpg": Coding("mpeg2video", size=SMALL, fps=25),
        "h264.flv": Coding("libx264", size=SMALL),
        "wmv2.wmv": Coding("wmv2", size=SMALL),
        "bare.h264": Coding("libx264", size=SMALL),
        "bare.hevc": Coding("libx265", size=SMALL),
        "moving.gif": Coding("gif", "rgb8", size=SMALL),
    }
    paths = []
    for name, coding in codings.items():
        write_coded(folder / name, coding, 12)
        paths.append(folder / name)
    people = [Appearance(30, 24, face_height=30)]
    for name, mode in (
        *(("a.jpg", "RGB"), ("c.jpg", "CMYK"), ("a.png", "RGB"), ("p.png", "P"), ("d.png", "I;16")),
        *(("a.webp", "RGB"), ("a.bmp", "RGB"), ("p.bmp", "P"), ("a.tif", "RGB"), ("f.tif", "F")),
        *(("a.gif", "P"), ("a.heic", "RGB"), ("a.avif", "RGB")),
    ):
        write_picture(folder / name, people, SMALL, mode=mode)
        paths.append(folder / name)
    write_picture(folder / "turned.jpg", people, SMALL, orientation=6)
    write_sound(folder / "sound.mp4", 0.3)
    write_zip(
        folder / "two.zip",
        {"a.jpg": folder / "a.jpg", "deep/b.png": folder / "a.png", "c.txt": b"text\n" * 50},
    )
    write_zip(folder / "climbs.zip", {"../x.jpg": folder / "a.jpg", "Thumbs.db": b"x"})
    return [*paths, *(folder / name for name in ("turned.jpg", "sound.mp4", "two.zip"))] + [
        folder / "climbs.zip"
    ] * 3  # the zip reader is to be tried as often as the others together are


def damaged(files: list[bytes]) -> st.SearchStrategy[bytes]:
    """Valid files with a few changes each, nearer to their heads than chance would have it."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(files)))
        for _ in range(draw(st.integers(1, 4))):
            if not data:
                break
            reach = draw(st.sampled_from((64, 512, len(data), -256)))
            low, high = (0, reach) if reach > 0 else (len(data) + reach, len(data))
            at = draw(st.integers(max(low, 0), max(min(high, len(data)), 1) - 1))
            match draw(st.integers(0, 6)):
                case 0:
                    data[at] ^= 1 << draw(st.integers(0, 7))
                case 1:
                    data[at] = draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
                case 2:
                    put = draw(st.sampled_from((b"\xff" * 4, b"\0" * 8, b"\x7f\xff\xff\xff")))
                    data[at : at + len(put)] = put
                case 3:
                    del data[at:]
                case 4:
                    del data[at : at + draw(st.integers(1, 64))]
                case 5:
                    data[at:at] = draw(st.binary(min_size=1, max_size=32))
                case _:
                    other = draw(st.sampled_from(files))
                    data[at:] = other[draw(st.integers(0, len(other) - 1)) :]
        return bytes(data)

    return draw_one()


def look(path: Path, folder: Path) -> None:
    """What the programme does with an upload, up to the pixels. Raises what it must not."""
    with contextlib.suppress(FootageError):
        if is_archive(path):
            inside = folder / "unpacked"
            inside.mkdir()
            try:
                for member in unpack(path, inside, limits=LIMITS):
                    if member.path is not None:
                        look_at_footage(member.path)
                        member.path.unlink()
                left = [found.name for found in inside.iterdir()]
                assert not left, f"left behind: {left}"
            finally:
                shutil.rmtree(inside)
        else:
            look_at_footage(path)


def look_at_footage(path: Path) -> None:
    with contextlib.suppress(FootageError):
        info = probe(path, limits=LIMITS)
        end_ms = min(max(info.duration_ms, 1), 4_000)
        for _ in sample(path, 0, end_ms, limits=LIMITS):
            pass
        for _ in sample(path, 1_500, end_ms, limits=LIMITS):
            pass


def worker(seed: int, until: float, out: Path, told: "Connection[object, object]") -> None:
    """Tries until the time is up; its last input lies in ``out/current`` should it die."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as made:
        files = [path.read_bytes() for path in base_files(Path(made))]
        current = out / "current"
        tried = 0

        def attempt(data: bytes) -> None:
            nonlocal tried
            if time.monotonic() > until:
                return
            current.write_bytes(data)
            told.send(("at", time.monotonic()))
            try:
                look(current, Path(made))
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                assert grown < MEMORY_MB, f"grown to {grown} MB"
            except Exception:  # noqa: BLE001 - which ones come is the question
                name = f"{seed}-{tried}"
                (out / f"{name}.bin").write_bytes(data)
                (out / f"{name}.txt").write_text(traceback.format_exc())
                told.send(("found", name))
            tried += 1

        while time.monotonic() < until:
            _rounds(damaged(files), attempt, seed)
            seed += 1_000_003
        told.send(("tried", tried))


def _rounds(
    strategy: st.SearchStrategy[bytes], attempt: Callable[[bytes], None], seed: int
) -> None:
    import hypothesis

    @hypothesis.seed(seed)
    @settings(
        max_examples=400,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def rounds(data: bytes) -> None:
        attempt(data)

    rounds()


def run(minutes: float, out: Path, seed: int) -> Iterator[str]:
    """Findings as they come; a worker that dies or hangs is replaced."""
    out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    until = time.monotonic() + minutes * 60
    total = 0
    while time.monotonic() < until:
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=worker, args=(seed, until, out, send))
        process.start()
        send.close()
        last, done = time.monotonic(), False
        while not done:
            try:
                if receive.poll(1.0):
                    kind, value = receive.recv()
                    last = time.monotonic()
                    if kind == "found":
                        yield f"{out / str(value)}.bin: an exception that is no plain error"
                    elif kind == "tried":
                        total += int(value)
                        done = True
                    continue
            except EOFError:
                process.join()
                if process.exitcode:
                    kept = out / f"died-{seed}.bin"
                    shutil.copy(out / "current", kept)
                    yield f"{kept}: the process died with {process.exitcode}"
                done = True
                continue
            if time.monotonic() - last > HANGS_S:
                kept = out / f"hung-{seed}.bin"
                shutil.copy(out / "current", kept)
                yield f"{kept}: no end after {HANGS_S:g} s"
                process.kill()
                done = True
        process.join()
        seed += 1
    yield f"{total} files tried"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    given_options = parser.parse_args()
    found = 0
    for line in run(given_options.minutes, given_options.out, given_options.seed):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        found += "tried" not in line
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
