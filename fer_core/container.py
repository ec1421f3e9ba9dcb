"""A video file opened safely, and what its header tells of its pictures."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeVar

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fer_core.errors import FootageTooLarge, NoVideoStream, UnreadableFootage
from fer_core.limits import FootageLimits
from fer_core.remote import RemoteVideo

# Containers of cameras, phones and recorders. Play lists (HLS, concat) stay shut: they name
# other files and addresses, and an upload must not make the server open those.
_CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,mxf,nut,h264,hevc,"
    "ivf,dhav,dv,mjpeg,wtv,gif"
)
NOT_OPENED: Final = "the video is damaged, or the file is not the video its name says."

_PIECE: Final = 1 << 16
"""Bytes that FFmpeg asks a remote video for at a time."""

_BARE: Final = frozenset({"h264", "hevc", "mpegvideo", "m4v", "mjpeg", "mpjpeg"})
"""Pictures without a container: no time stamps, no index, no duration."""

_DECODING_ORDER: Final = frozenset({"avi", "asf"})
"""FFmpeg's names of containers that store the order of decoding only. Its guess at the order of
display goes wrong with B-frames, but its decoder gives the frames in the right one."""

_Stream = TypeVar("_Stream", bound=Stream)

_MOST_FRAMES_A_SECOND: Final = 1000
_EVEN_PIXELS: Final = 0.02
_LONGEST_PIXEL: Final = 4


@contextmanager
def opened(
    path: Path | RemoteVideo, name: str, limits: FootageLimits
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its stream of pictures; no picture over the bound is ever decoded.

    Raises UnreadableFootage, NoVideoStream, FootageTooLarge.
    """
    with ExitStack() as stack:
        try:
            container = av.open(
                # The prefix keeps FFmpeg from reading meaning into the name.
                f"file:{path.resolve()}"
                if isinstance(path, Path)
                else stack.enter_context(closing(path.open())),
                mode="r",
                options={
                    "format_whitelist": _CONTAINERS,
                    "protocol_whitelist": "file",
                    "max_pixels": str(limits.video_pixels),
                },
                metadata_errors="replace",
                buffer_size=_PIECE,
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise UnreadableFootage(name, NOT_OPENED) from error
        stack.enter_context(container)
        stream = stream_of(container, name)
        check_pixels(*shown_size(stream), name, limits)
        context = stream.codec_context
        # A stream may change its size later on.
        context.options = {**context.options, "max_pixels": str(limits.video_pixels)}
        yield container, stream


def stream_of(container: InputContainer, name: str) -> VideoStream:
    """The first stream of moving pictures that can be decoded; covers do not count.

    Raises NoVideoStream, UnreadableFootage.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        what = "sound but no pictures" if container.streams.audio else "no pictures"
        raise NoVideoStream(name, f"the file holds {what}.")
    # None where FFmpeg has no decoder, whatever PyAV's stubs say.
    readable = [s for s in streams if s.codec_context is not None]  # type: ignore[redundant-expr]
    if not readable:
        raise UnreadableFootage(name, "the video is in a coding that cannot be read.")
    return readable[0]


def packets(container: InputContainer, stream: VideoStream) -> Iterator["Packet[VideoStream]"]:
    """The stream's packets, without the empty one that PyAV puts at the end of what ended well.

    Raises av.FFmpegError where the file cannot be read on.
    """
    return _packets(lambda: container.demux(stream))


def packets_of_all(container: InputContainer) -> Iterator["Packet[Stream]"]:
    """The same of all streams, sound and data too."""
    return _packets(container.demux)


def _packets(demux: Callable[[], Iterator["Packet[_Stream]"]]) -> Iterator["Packet[_Stream]"]:
    demuxed = demux()
    while True:
        try:
            packet = next(demuxed, None)
        except IndexError:
            # PyAV mostly stumbles over a stream that begins within the file (sound in FLV, say):
            # whether it was asked for is then read from memory never written. Asked again it
            # knows the stream, and goes on where it was.
            demuxed = demux()
            continue
        if packet is None:
            return
        if packet.size:
            yield packet


def check_pixels(width: int, height: int, name: str, limits: FootageLimits) -> None:
    """Of a picture as it will be shown: pixels that are not square take more when they are."""
    if width * height > limits.video_pixels:
        raise FootageTooLarge(
            name,
            f"the video is {width} x {height} pixels; at most "
            f"{limits.video_pixels / 1e6:.0f} million are read.",
        )


def has_times(container: InputContainer) -> bool:
    """Whether pictures carry a time by which they can also be looked for."""
    return container.format.name not in _BARE


def by_decoding(container: InputContainer) -> bool:
    """Whether a packet tells when it is to be decoded only: ``dts`` holds, ``pts`` is a guess."""
    return container.format.name in _DECODING_ORDER


def stamp_of(container: InputContainer, packet: "Packet[_Stream]") -> int | None:
    """The packet's time in ticks, of display where the file tells it."""
    return packet.dts if by_decoding(container) else packet.pts


def origin_of(
    container: InputContainer, stream: VideoStream, first: "Packet[VideoStream] | None"
) -> int:
    """The ticks at which the video begins. ``first``: the video's first packet, for of H.264 in
    ASF FFmpeg does not tell it."""
    if stream.start_time is None and first is not None and by_decoding(container):
        return first.dts or 0
    return stream.start_time or 0


def frame_rate(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Frames a second on average, None where nothing believable is told."""
    told = [stream.average_rate, stream.guessed_rate, stream.codec_context.framerate]
    if not has_times(container):  # what FFmpeg calls the average is its own default there
        told = [stream.guessed_rate, stream.codec_context.framerate]
    return next((rate for rate in told if rate and rate <= _MOST_FRAMES_A_SECOND), None)


def shown_size(stream: VideoStream) -> tuple[int, int]:
    """Width and height of the pictures with square pixels, before they are turned upright.

    Recorders store pixels that are not square (704 x 576 for 4:3); a squeezed face is found and
    read worse. Nothing is ever made smaller.
    """
    width, height = stream.codec_context.width, stream.codec_context.height
    ratio = float(stream.sample_aspect_ratio or 1)
    if abs(ratio - 1) <= _EVEN_PIXELS or not 1 / _LONGEST_PIXEL <= ratio <= _LONGEST_PIXEL:
        return width, height
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def rotation(frame: VideoFrame) -> int:
    """Degrees clockwise that stand the frame upright: 0, 90, 180 or 270."""
    return round(-frame.rotation / 90) * 90 % 360


def clock(time_ms: int) -> str:
    """h:mm:ss, as players show it."""
    seconds = time_ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
