# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image messages as frames of the tracker, and RGB arrays as image messages.

``frame_from_message`` never copies or converts a whole raw image: a frame is a view of the
message's own buffer, and only the region the tracker asks for is converted. Row padding (``step``)
and byte order (``is_bigendian``) are honoured; cv_bridge's Python decoder ignores the former.

Reading needs no ROS: any object with the fields of the messages will do, for instance what
``rosbags`` reads out of a bag.
"""

from __future__ import annotations

import array
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.frame import Frame

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image

MAX_COMPRESSED_PIXELS = 1 << 27
"""Largest compressed image that is decoded (a small file can claim any size)."""

_DECODED_FRAMES_KEPT = 3
_STRETCH_SAMPLES = 128
_STRETCH_PERCENTILES = (1.0, 99.0)

# OpenCV names a Bayer pattern by the second row's second and third pixel.
_BAYER = {
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}
_YUV422 = {
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
}
_YUV420 = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}

_PACKED: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
}

SUPPORTED_ENCODINGS: tuple[str, ...] = (
    *_PACKED,
    "mono16",
    "16UC1",
    *_YUV422,
    *_YUV420,
    *_BAYER,
)
"""Encodings of sensor_msgs/Image that are read without cv_bridge."""

Pixels = NDArray[Any]


class ImageError(ValueError):
    """An image message that cannot be used; the text names the value, the reason and the cure."""


class PackedFrame:
    """Pixels that can be resized as they are; colours are put in order afterwards.

    Args:
        pixels: uint8 (H, W) or (H, W, C), usually a view of the message's buffer.
        code: OpenCV conversion to RGB, ``None`` if the pixels are RGB already.
        nbytes: Size of the buffer behind the view.
    """

    def __init__(self, pixels: Pixels, code: int | None, nbytes: int) -> None:
        self.height, self.width = pixels.shape[:2]
        self.nbytes = nbytes
        self._pixels = pixels
        self._code = code

    def region(self, x1: int, y1: int, x2: int, y2: int) -> Pixels:
        """View of the half-open rectangle."""
        return self._pixels[y1:y2, x1:x2]

    def to_rgb(self, pixels: Pixels, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """RGB of a region, before or after a resize."""
        if self._code is None:
            return pixels
        return np.asarray(cv2.cvtColor(pixels, self._code, dst=out), dtype=np.uint8)


class StretchedFrame:
    """16-bit measurements (thermal camera, depth) stretched to 8-bit grey.

    Raw thermal counts fill a small part of the 16 bits, so a fixed shift would leave a flat grey.
    The 1st and the 99th percentile of a sparse grid over the whole image become black and white:
    single dead or burning pixels do not matter, and all regions of an image use the same mapping.

    Args:
        values: uint16 (H, W) in either byte order.
        nbytes: Size of the buffer behind the view.
    """

    def __init__(self, values: NDArray[np.uint16], nbytes: int) -> None:
        self.height, self.width = values.shape
        self.nbytes = nbytes
        self._values = values
        self._limits: tuple[float, float] | None = None

    def region(self, x1: int, y1: int, x2: int, y2: int) -> Pixels:
        """Grey uint8 pixels of the half-open rectangle."""
        low, high = self._stretch()
        stretched = (self._values[y1:y2, x1:x2].astype(np.float32) - low) * (255.0 / (high - low))
        return np.rint(np.clip(stretched, 0.0, 255.0)).astype(np.uint8)

    def to_rgb(self, pixels: Pixels, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """RGB of a region, before or after a resize."""
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB, dst=out), dtype=np.uint8)

    def _stretch(self) -> tuple[float, float]:
        if self._limits is None:
            rows = max(1, self.height // _STRETCH_SAMPLES)
            columns = max(1, self.width // _STRETCH_SAMPLES)
            low, high = np.percentile(self._values[::rows, ::columns], _STRETCH_PERCENTILES)
            self._limits = float(low), max(float(high), float(low) + 1.0)
        return self._limits


class ConvertedFrame:
    """Formats whose pixels depend on their neighbours: the region is converted with a margin.

    The converted rectangle starts and ends on even pixels (chroma pairs, Bayer cells), so that a
    region is identical to the same region of the whole converted image.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        nbytes: Size of the buffer behind the image.
        margin: Even number of pixels the conversion looks beyond the region.
        convert: RGB pixels of a half-open rectangle ``(x1, y1, x2, y2)``.
    """

    def __init__(
        self,
        height: int,
        width: int,
        nbytes: int,
        margin: int,
        convert: Callable[[int, int, int, int], Pixels],
    ) -> None:
        self.height = height
        self.width = width
        self.nbytes = nbytes
        self._margin = margin
        self._convert = convert

    def region(self, x1: int, y1: int, x2: int, y2: int) -> Pixels:
        """RGB pixels of the half-open rectangle."""
        left, top = (max(0, value - value % 2 - self._margin) for value in (x1, y1))
        right = min(self.width, x2 + x2 % 2 + self._margin)
        bottom = min(self.height, y2 + y2 % 2 + self._margin)
        rgb = self._convert(left, top, right, bottom)
        return rgb[y1 - top : y2 - top, x1 - left : x2 - left]

    def to_rgb(self, pixels: Pixels, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """The pixels themselves: regions are RGB already."""
        return pixels


class CompressedFrame:
    """A JPEG or PNG image that is decoded when somebody looks at its pixels.

    The size comes from the file's header. Decoded pixels are shared through a small cache, so that
    a history of compressed frames costs its compressed bytes only.

    Args:
        data: The file's bytes; the buffer is kept, not copied.
        height: Rows, from the file's header.
        width: Columns, from the file's header.
    """

    def __init__(self, data: NDArray[np.uint8], height: int, width: int) -> None:
        self.height = height
        self.width = width
        self.nbytes = data.nbytes
        self._data = data

    def region(self, x1: int, y1: int, x2: int, y2: int) -> Pixels:
        """BGR view of the half-open rectangle.

        Raises:
            ImageError: The file is damaged.
        """
        return _decoded_frames.get(self)[y1:y2, x1:x2]

    def to_rgb(self, pixels: Pixels, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """RGB of a region, before or after a resize."""
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=out), dtype=np.uint8)

    def decode(self) -> NDArray[np.uint8]:
        """Decode the whole image to BGR (H, W, 3) uint8, ignoring any EXIF orientation.

        Raises:
            ImageError: The file is damaged.
        """
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            image = cv2.imdecode(self._data, flags)
        except cv2.error:
            image = None
        if image is None or image.shape[:2] != (self.height, self.width):
            raise ImageError(
                f"compressed image of {self.nbytes} bytes ({self.width}x{self.height}) cannot be "
                "decoded: its data are damaged; check the publisher and the network"
            )
        return np.asarray(image, dtype=np.uint8)


class _DecodedFrames:
    """The pixels of the compressed frames that were looked at last; safe between threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._images: OrderedDict[CompressedFrame, NDArray[np.uint8]] = OrderedDict()

    def get(self, frame: CompressedFrame) -> NDArray[np.uint8]:
        with self._lock:
            image = self._images.get(frame)
            if image is not None:
                self._images.move_to_end(frame)
                return image
        image = frame.decode()
        with self._lock:
            self._images[frame] = image
            while len(self._images) > self._capacity:
                self._images.popitem(last=False)
        return image


_decoded_frames = _DecodedFrames(_DECODED_FRAMES_KEPT)


def frame_from_message(message: Image | CompressedImage) -> Frame:
    """Wrap an image message as a frame without copying its pixels.

    The frame shares the message's buffer, so the message must not be changed afterwards.
    ``mono16`` keeps the high byte; ``16UC1`` (raw thermal counts, depth) is stretched between its
    1st and 99th percentile; ``8UC3`` and ``8UC4`` are BGR and BGRA, as OpenCV writes them.

    Args:
        message: ``sensor_msgs/Image`` (known by its field ``encoding``) in one of
            ``SUPPORTED_ENCODINGS`` (others go through cv_bridge where it is installed) or
            ``sensor_msgs/CompressedImage`` with JPEG or PNG.

    Returns:
        The frame.

    Raises:
        ImageError: The message is malformed or its encoding is unknown.
    """
    if not hasattr(message, "encoding"):
        return _compressed_frame(message)
    if message.width < 1 or message.height < 1:
        raise ImageError(
            f"image size {message.width}x{message.height} is empty: width and height must be at "
            "least 1; check the camera driver"
        )
    encoding = message.encoding
    if encoding in _PACKED:
        channels, code = _PACKED[encoding]
        shape = (message.width,) if channels == 1 else (message.width, channels)
        return PackedFrame(_rows(message, message.height, shape), code, len(message.data))
    if encoding in ("mono16", "16UC1"):
        return _sixteen_bit_frame(message)
    if encoding in _YUV422:
        return _yuv422_frame(message, _YUV422[encoding])
    if encoding in _YUV420:
        return _yuv420_frame(message, _YUV420[encoding])
    if encoding in _BAYER:
        return _bayer_frame(message, _BAYER[encoding])
    return _cv_bridge_frame(message)


def rgb_to_message(rgb: NDArray[np.uint8], header: Any, encoding: str = "rgb8") -> Image:
    """Make an image message of an RGB array; the only fast way to fill ``data`` in rclpy.

    Args:
        rgb: uint8 (H, W, 3).
        header: ``std_msgs/Header`` of the message.
        encoding: rgb8, bgr8, rgba8, bgra8 or mono8.

    Returns:
        The message, without row padding.

    Raises:
        ImageError: The encoding cannot be written.
    """
    from sensor_msgs.msg import Image

    codes = {
        "rgb8": None,
        "bgr8": cv2.COLOR_RGB2BGR,
        "rgba8": cv2.COLOR_RGB2RGBA,
        "bgra8": cv2.COLOR_RGB2BGRA,
        "mono8": cv2.COLOR_RGB2GRAY,
    }
    if encoding not in codes:
        raise ImageError(
            f"cannot write images with encoding {encoding!r}: choose one of {', '.join(codes)}"
        )
    code = codes[encoding]
    pixels = np.ascontiguousarray(rgb if code is None else cv2.cvtColor(rgb, code))
    message = Image()
    message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.step = pixels.strides[0]
    message.data = _byte_array(pixels)
    return message


def rgb_to_compressed_message(
    rgb: NDArray[np.uint8], header: Any, quality: int = 90
) -> CompressedImage:
    """Make a JPEG message of an RGB array, named as image_transport names it.

    Args:
        rgb: uint8 (H, W, 3).
        header: ``std_msgs/Header`` of the message.
        quality: JPEG quality, 1 to 100.

    Returns:
        The message.
    """
    from sensor_msgs.msg import CompressedImage

    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage()
    message.header = header
    message.format = "rgb8; jpeg compressed bgr8"
    message.data = _byte_array(np.asarray(encoded))
    return message


def _byte_array(values: Pixels) -> array.array[int]:
    data = array.array("B")
    data.frombytes(values.data.cast("B"))
    return data


def _rows(
    message: Image, rows: int, row_shape: tuple[int, ...], dtype: str = "u1", first_row: int = 0
) -> Pixels:
    """View ``rows`` rows of the message's buffer as (rows, *row_shape), after checking its size."""
    strides = [np.dtype(dtype).itemsize]
    for length in reversed(row_shape):
        strides.insert(0, strides[0] * length)
    row_bytes, step, have = strides[0], int(message.step), len(message.data)
    if step < row_bytes:
        raise ImageError(
            f"step {step} of a {_described(message)} is too small: a row has {row_bytes} bytes; "
            "the publisher must set step to the bytes of a row with its padding"
        )
    # The padding of the last row is not missed: some drivers leave it out.
    need = step * (first_row + rows - 1) + row_bytes
    if have < need:
        raise ImageError(
            f"{_described(message)} has {have} bytes of data, but step {step} needs {need}: the "
            "data are truncated or height, width or step is wrong; check the publisher"
        )
    return np.ndarray(
        (rows, *row_shape),
        dtype=dtype,
        buffer=message.data,
        offset=step * first_row,
        strides=[step, *strides[1:]],
    )


def _described(message: Image) -> str:
    return f"{message.width}x{message.height} {message.encoding} image"


def _sixteen_bit_frame(message: Image) -> Frame:
    order = ">" if message.is_bigendian else "<"
    size = len(message.data)
    if message.encoding == "16UC1":
        return StretchedFrame(_rows(message, message.height, (message.width,), f"{order}u2"), size)
    high_byte = 0 if message.is_bigendian else 1
    pixels = _rows(message, message.height, (message.width, 2))[..., high_byte]
    return PackedFrame(pixels, cv2.COLOR_GRAY2RGB, size)


def _require_even(message: Image, *, height: bool) -> None:
    if message.width % 2 or (height and message.height % 2):
        raise ImageError(
            f"{message.width}x{message.height} {message.encoding} image: the format stores pixels "
            f"in pairs, so {'width and height' if height else 'width'} must be even; crop the "
            "image or publish another encoding"
        )


def _yuv422_frame(message: Image, code: int) -> Frame:
    _require_even(message, height=False)
    pixels = _rows(message, message.height, (message.width, 2))

    def convert(x1: int, y1: int, x2: int, y2: int) -> Pixels:
        return cv2.cvtColor(pixels[y1:y2, x1:x2], code)

    return ConvertedFrame(message.height, message.width, len(message.data), 0, convert)


def _yuv420_frame(message: Image, code: int) -> Frame:
    _require_even(message, height=True)
    luma = _rows(message, message.height, (message.width,))
    chroma = _rows(message, message.height // 2, (message.width // 2, 2), first_row=message.height)

    def convert(x1: int, y1: int, x2: int, y2: int) -> Pixels:
        pairs = chroma[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2]
        return cv2.cvtColorTwoPlane(luma[y1:y2, x1:x2], pairs, code)

    return ConvertedFrame(message.height, message.width, len(message.data), 0, convert)


def _bayer_frame(message: Image, code: int) -> Frame:
    if message.width < 4 or message.height < 4:
        raise ImageError(
            f"{message.width}x{message.height} {message.encoding} image is too small to "
            "interpolate its colours: at least 4x4 pixels are needed; check the camera driver"
        )
    pixels = _rows(message, message.height, (message.width,))

    def convert(x1: int, y1: int, x2: int, y2: int) -> Pixels:
        return cv2.cvtColor(pixels[y1:y2, x1:x2], code)

    return ConvertedFrame(message.height, message.width, len(message.data), 2, convert)


def _cv_bridge_frame(message: Image) -> Frame:
    encoding = message.encoding
    try:
        from cv_bridge import CvBridge
    except ImportError as error:
        raise ImageError(
            f"image encoding {encoding!r} is not supported and cv_bridge, which might read it, is "
            f"not available ({error}): publish one of {', '.join(SUPPORTED_ENCODINGS)}"
        ) from error
    try:
        from sensor_msgs.msg import Image

        bridge = CvBridge()
        dtype, channels = bridge.encoding_to_dtype_with_channels(encoding)
        packed = Image()
        packed.height, packed.width, packed.encoding = message.height, message.width, encoding
        packed.is_bigendian = message.is_bigendian
        # cv_bridge takes rows as they lie, so the padding has to go first.
        row_bytes = message.width * channels * np.dtype(dtype).itemsize
        rows = np.ascontiguousarray(_rows(message, message.height, (row_bytes,)))
        packed.step = row_bytes
        packed.data = _byte_array(rows)
        rgb = np.asarray(bridge.imgmsg_to_cv2(packed, "rgb8"), dtype=np.uint8)
    except ImageError:
        raise
    except Exception as error:  # cv_bridge raises its own, KeyErrors and TypeErrors
        raise ImageError(
            f"image encoding {encoding!r} cannot be converted by cv_bridge ({error}): publish one "
            f"of {', '.join(SUPPORTED_ENCODINGS)}"
        ) from error
    return PackedFrame(rgb, None, rgb.nbytes)


def _compressed_frame(message: CompressedImage) -> Frame:
    data = np.frombuffer(message.data, dtype=np.uint8)
    head = data[:24].tobytes()
    if head.startswith(b"\xff\xd8\xff"):
        size, end_marker = _jpeg_size(data), b"\xff\xd9"
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
        end_marker = b"IEND"
    else:
        raise ImageError(
            f"compressed image with format {message.format!r} and {len(data)} bytes is neither "
            "JPEG nor PNG: use image_transport's 'compressed' transport (compressedDepth and video "
            "streams have to be decoded first)"
        )
    if size is None or min(size) < 1 or size[0] * size[1] > MAX_COMPRESSED_PIXELS:
        raise ImageError(
            f"compressed image with format {message.format!r} has no valid size in its header "
            f"(1 to {MAX_COMPRESSED_PIXELS} pixels are read): its data are damaged; check the "
            "publisher"
        )
    if end_marker not in data[-1024:].tobytes():
        raise ImageError(
            f"compressed image with format {message.format!r} ends after {len(data)} bytes without "
            "its end marker: the data are truncated; check the publisher and the network"
        )
    return CompressedFrame(data, *size)


def _jpeg_size(data: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Height and width out of a JPEG's frame header (ITU-T T.81, B.2.2), ``None`` without one."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = int(data[position + 1])
        if marker == 0xFF:
            position += 1
            continue
        field = data[position + 2 : position + 9].tobytes()
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(field[3:5], "big"), int.from_bytes(field[5:7], "big")
        standalone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        position += 2 if standalone else 2 + int.from_bytes(field[:2], "big")
    return None
