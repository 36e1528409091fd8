# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import array
import sys
import types

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs the ROS 2 messages")

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from mixformer2_ros.ros import images
from mixformer2_ros.ros.images import (
    SUPPORTED_ENCODINGS,
    ImageError,
    frame_from_message,
    rgb_to_compressed_message,
    rgb_to_message,
)

HEIGHT, WIDTH = 34, 46
RED, GREEN, BLUE = (200, 30, 40), (25, 190, 60), (35, 45, 210)


def picture(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (height // 4 + 2, width // 4 + 2, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def message(
    rows: np.ndarray,
    encoding: str,
    size: tuple[int, int] | None = None,
    padding: int = 0,
    big_endian: bool = False,
) -> Image:
    """Image message of (rows, bytes) data with random padding after each row."""
    rows = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    junk = np.random.default_rng(1).integers(0, 256, (len(rows), padding), dtype=np.uint8)
    out = Image()
    out.height, out.width = size or rows.shape[:2]
    out.encoding = encoding
    out.is_bigendian = int(big_endian)
    out.step = rows.shape[1] + padding
    out.data = array.array("B", np.hstack([rows, junk]).tobytes())
    return out


def whole(frame) -> np.ndarray:
    return frame.to_rgb(frame.region(0, 0, frame.width, frame.height))


def random_rows(encoding: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Random bytes of one image in an encoding, as (rows, bytes)."""
    pixel_bytes = {
        **dict.fromkeys(["rgb8", "bgr8", "8UC3"], 3),
        **dict.fromkeys(["rgba8", "bgra8", "8UC4"], 4),
        **dict.fromkeys(["mono16", "16UC1", "yuv422", "uyvy", "yuv422_yuy2", "yuyv"], 2),
    }.get(encoding, 1)
    rows = height * 3 // 2 if encoding in ("nv12", "nv21") else height
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (rows, width * pixel_bytes), dtype=np.uint8)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("rgb8", None),
        ("bgr8", cv2.COLOR_RGB2BGR),
        ("8UC3", cv2.COLOR_RGB2BGR),
        ("rgba8", cv2.COLOR_RGB2RGBA),
        ("bgra8", cv2.COLOR_RGB2BGRA),
        ("8UC4", cv2.COLOR_RGB2BGRA),
    ],
)
def test_colours_come_back_exactly(encoding, code, padding):
    rgb = picture()
    rows = rgb if code is None else cv2.cvtColor(rgb, code)
    frame = frame_from_message(message(rows, encoding, rgb.shape[:2], padding))
    assert (frame.height, frame.width) == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(whole(frame), rgb)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_three_equal_channels(encoding):
    grey = picture()[..., 0]
    frame = frame_from_message(message(grey, encoding, padding=3))
    np.testing.assert_array_equal(whole(frame), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("order", ["<", ">"])
def test_mono16_keeps_the_high_byte_in_both_byte_orders(order):
    values = np.random.default_rng(3).integers(0, 65536, (HEIGHT, WIDTH)).astype(f"{order}u2")
    sent = message(values, "mono16", values.shape, padding=6, big_endian=order == ">")
    expected = np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(whole(frame_from_message(sent)), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16uc1_is_stretched_alike_in_both_byte_orders(order):
    # Counts of a thermal camera: a small range far from zero, and one dead pixel.
    values = np.linspace(7000, 7400, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(f"{order}u2")
    values[0, 0] = 0
    sent = message(values, "16UC1", values.shape, padding=2, big_endian=order == ">")
    rgb = whole(frame_from_message(sent))
    low, high = np.percentile(values, [1, 99])
    expected = np.clip((values.astype(float) - low) / (high - low) * 255, 0, 255)
    np.testing.assert_allclose(rgb[..., 1], expected, atol=0.51)


def test_flat_16uc1_is_readable():
    rgb = whole(frame_from_message(message(np.full((8, 8), 7000, "<u2"), "16UC1", (8, 8))))
    assert rgb.shape == (8, 8, 3)


@pytest.mark.parametrize("colour", [RED, GREEN, BLUE])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [
        ("bayer_rggb8", "RGGB"),
        ("bayer_bggr8", "BGGR"),
        ("bayer_gbrg8", "GBRG"),
        ("bayer_grbg8", "GRBG"),
    ],
)
def test_bayer_cells_have_the_right_colours(encoding, order, colour):
    cell = np.array([colour["RGB".index(name)] for name in order], np.uint8).reshape(2, 2)
    frame = frame_from_message(message(np.tile(cell, (6, 8)), encoding, padding=4))
    np.testing.assert_array_equal(whole(frame), np.full((12, 16, 3), colour, np.uint8))


def yuv_of(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """ITU-R BT.601 limited range, as cameras send it."""
    red, green, blue = (value / 255 for value in colour)
    luma = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
    cb = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    cr = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    return round(luma), round(cb), round(cr)


@pytest.mark.parametrize("colour", [RED, GREEN, BLUE])
@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv", "nv12", "nv21"])
def test_yuv_has_the_right_colours(encoding, colour):
    luma, cb, cr = yuv_of(colour)
    if encoding in ("yuv422", "uyvy"):
        rows = np.tile(np.array([cb, luma, cr, luma], np.uint8), (6, 4))
    elif encoding in ("yuv422_yuy2", "yuyv"):
        rows = np.tile(np.array([luma, cb, luma, cr], np.uint8), (6, 4))
    else:
        pair = [cb, cr] if encoding == "nv12" else [cr, cb]
        rows = np.vstack([np.full((6, 8), luma), np.tile(pair, (3, 4))]).astype(np.uint8)
    frame = frame_from_message(message(rows, encoding, (6, 8), padding=10))
    np.testing.assert_allclose(whole(frame), np.full((6, 8, 3), colour), atol=3)


@pytest.mark.parametrize("encoding", SUPPORTED_ENCODINGS)
def test_a_region_is_the_same_part_of_the_whole_image(encoding):
    sent = message(random_rows(encoding), encoding, (HEIGHT, WIDTH), padding=7)
    frame = frame_from_message(sent)
    full = whole(frame)
    assert full.shape == (HEIGHT, WIDTH, 3)
    rng = np.random.default_rng(11)
    corners = [(0, 0, 1, 1), (WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT), (0, HEIGHT - 3, 5, HEIGHT)]
    for _ in range(60):
        (x1, x2), (y1, y2) = (
            np.sort(rng.choice(size + 1, 2, replace=False)) for size in (WIDTH, HEIGHT)
        )
        corners.append((int(x1), int(y1), int(x2), int(y2)))
    for x1, y1, x2, y2 in corners:
        region = frame.region(x1, y1, x2, y2)
        np.testing.assert_array_equal(frame.to_rgb(region), full[y1:y2, x1:x2])


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "mono8", "mono16"])
def test_colours_may_be_ordered_after_a_resize(encoding):
    frame = frame_from_message(message(random_rows(encoding), encoding, (HEIGHT, WIDTH), 9))
    region = frame.region(3, 5, 40, 30)
    resized = cv2.resize(region, (16, 16))
    np.testing.assert_array_equal(
        frame.to_rgb(resized), cv2.resize(np.ascontiguousarray(frame.to_rgb(region)), (16, 16))
    )


@pytest.mark.parametrize("encoding", ["rgb8", "bgra8", "mono8", "mono16"])
def test_packed_regions_are_views_of_the_message(encoding):
    sent = message(random_rows(encoding), encoding, (HEIGHT, WIDTH), 9)
    frame = frame_from_message(sent)
    assert np.shares_memory(frame.region(2, 2, 20, 20), np.frombuffer(sent.data, np.uint8))
    assert frame.nbytes == len(sent.data)


def test_last_row_may_lack_its_padding():
    rgb = picture()
    sent = message(rgb, "rgb8", rgb.shape[:2], padding=11)
    sent.data = sent.data[:-11]
    np.testing.assert_array_equal(whole(frame_from_message(sent)), rgb)


def changed(**fields) -> Image:
    sent = rgb_to_message(picture(), Header())
    for name, value in fields.items():
        setattr(sent, name, value)
    return sent


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 0}, ["0x34", "at least 1"]),
        ({"height": 0}, ["46x0", "at least 1"]),
        ({"step": 0}, ["step 0", "138 bytes"]),
        ({"step": WIDTH * 3 - 1}, ["step 137", "138 bytes"]),
        ({"data": array.array("B", bytes(99))}, ["99 bytes", "4692", "truncated"]),
        ({"data": array.array("B")}, ["0 bytes"]),
        ({"width": 4_000_000_000}, ["4000000000x34"]),
        ({"height": 4_000_000_000}, ["46x4000000000"]),
        ({"step": 4_294_967_295}, ["step 4294967295"]),
        ({"encoding": ""}, ["''", "rgb8"]),
        ({"encoding": "rgb8\x00"}, ["rgb8", "publish one of"]),
        ({"encoding": "32FC7"}, ["'32FC7'", "bgr8", "nv12"]),
        ({"encoding": "yuv422", "width": 45}, ["45x34", "width must be even"]),
        ({"encoding": "nv12", "height": 33}, ["46x33", "width and height must be even"]),
        ({"encoding": "nv21", "step": 46, "data": array.array("B", bytes(46 * 34))}, ["1564"]),
        ({"encoding": "bayer_rggb8", "width": 3}, ["3x34", "at least 4x4"]),
    ],
)
def test_malformed_images_are_refused_with_value_and_cure(fields, words):
    with pytest.raises(ImageError) as caught:
        frame_from_message(changed(**fields))
    for word in words:
        assert word in str(caught.value)


def test_rgb_to_message_round_trips():
    rgb = picture()
    header = Header(frame_id="camera")
    for encoding in ("rgb8", "bgr8", "rgba8", "bgra8"):
        sent = rgb_to_message(rgb, header, encoding)
        assert sent.header.frame_id == "camera"
        np.testing.assert_array_equal(whole(frame_from_message(sent)), rgb)
    grey = whole(frame_from_message(rgb_to_message(rgb, header, "mono8")))
    np.testing.assert_array_equal(grey[..., 0], cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    with pytest.raises(ImageError, match="32FC1"):
        rgb_to_message(rgb, header, "32FC1")


def test_rgb_to_message_takes_views():
    rgb = picture()[::2, ::2]
    np.testing.assert_array_equal(whole(frame_from_message(rgb_to_message(rgb, Header()))), rgb)


def compressed(extension: str, pixels: np.ndarray) -> CompressedImage:
    encoded = cv2.imencode(extension, pixels)[1]
    return CompressedImage(format=extension[1:], data=array.array("B", encoded.tobytes()))


def test_png_comes_back_exactly():
    rgb = picture()
    sent = compressed(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    frame = frame_from_message(sent)
    assert (frame.height, frame.width, frame.nbytes) == (HEIGHT, WIDTH, len(sent.data))
    np.testing.assert_array_equal(whole(frame), rgb)
    np.testing.assert_array_equal(frame.to_rgb(frame.region(3, 4, 20, 9)), rgb[4:9, 3:20])


def test_jpeg_is_decoded_and_close():
    rgb = cv2.GaussianBlur(picture(64, 96), (9, 9), 3)
    frame = frame_from_message(rgb_to_compressed_message(rgb, Header(), quality=95))
    assert (frame.height, frame.width) == (64, 96)
    assert np.abs(whole(frame).astype(int) - rgb).mean() < 3


def test_grey_and_16_bit_png_are_read():
    grey = picture()[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(whole(frame_from_message(compressed(".png", grey))), expected)
    wide = grey.astype(np.uint16) * 257
    np.testing.assert_allclose(
        whole(frame_from_message(compressed(".png", wide))), expected, atol=1
    )


def test_compressed_frames_are_decoded_late_and_once(monkeypatch):
    calls = []
    decode = images.cv2.imdecode
    monkeypatch.setattr(
        images.cv2, "imdecode", lambda *args: calls.append(1) or decode(*args), raising=True
    )
    frame = frame_from_message(compressed(".png", picture()))
    assert not calls
    for _ in range(3):
        frame.region(0, 0, 4, 4)
    assert len(calls) == 1


def test_only_a_few_decoded_images_are_kept():
    frames = [frame_from_message(compressed(".png", picture())) for _ in range(6)]
    for frame in frames:
        frame.region(0, 0, 4, 4)
    assert len(images._decoded_frames._images) == 3


def test_exif_orientation_is_ignored():
    jpeg = cv2.imencode(".jpg", picture(32, 64))[1].tobytes()
    # A minimal EXIF segment that asks for a rotation by 90 degrees.
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    frame = frame_from_message(CompressedImage(format="jpeg", data=array.array("B", turned)))
    assert whole(frame).shape == (32, 64, 3)


JPEG = cv2.imencode(".jpg", picture())[1].tobytes()
PNG = cv2.imencode(".png", picture())[1].tobytes()
BOMB = PNG[:16] + (60000).to_bytes(4, "big") * 2 + PNG[24:]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["0 bytes", "neither JPEG nor PNG"]),
        (b"\0" * 40, ["40 bytes", "compressedDepth"]),
        (JPEG[: len(JPEG) // 2], ["truncated"]),
        (PNG[: len(PNG) // 2], ["truncated"]),
        (JPEG[:3], ["no valid size"]),
        (JPEG[:2] + b"\xff\xff\x00\x00" + bytes(20), ["no valid size"]),
        (JPEG[:4] + bytes(40), ["no valid size"]),
        (BOMB, ["no valid size", "134217728"]),
    ],
)
def test_damaged_files_are_refused_before_decoding(data, words):
    sent = CompressedImage(format="some format", data=array.array("B", data))
    with pytest.raises(ImageError) as caught:
        frame_from_message(sent)
    for word in ["some format", *words]:
        assert word in str(caught.value)


def test_undecodable_files_are_refused_when_looked_at():
    middle = len(PNG) // 2
    damaged = PNG[:40] + bytes(middle - 40) + PNG[middle:]
    frame = frame_from_message(CompressedImage(format="png", data=array.array("B", damaged)))
    with pytest.raises(ImageError, match=r"46x34.*damaged"):
        frame.region(0, 0, 4, 4)


class StandInBridge:
    """What cv_bridge does with a 16-bit colour image."""

    def encoding_to_dtype_with_channels(self, encoding):
        if encoding != "rgb16":
            raise KeyError(encoding)
        return "uint16", 3

    def imgmsg_to_cv2(self, sent, desired):
        assert desired == "rgb8"
        values = np.frombuffer(sent.data, "<u2").reshape(sent.height, sent.width, 3)
        return (values >> 8).astype(np.uint8)


@pytest.fixture
def cv_bridge(monkeypatch):
    module = types.ModuleType("cv_bridge")
    module.CvBridge = StandInBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)


@pytest.mark.usefixtures("cv_bridge")
def test_cv_bridge_reads_the_rest_without_row_padding():
    rgb = picture()
    sent = message(rgb.astype("<u2") * 256, "rgb16", rgb.shape[:2], padding=10)
    np.testing.assert_array_equal(whole(frame_from_message(sent)), rgb)


@pytest.mark.usefixtures("cv_bridge")
@pytest.mark.parametrize(
    ("encoding", "words"), [("odd7", "'odd7' cannot be converted"), ("rgb16", "step 138")]
)
def test_errors_of_cv_bridge_are_explained(encoding, words):
    with pytest.raises(ImageError, match=words):
        frame_from_message(changed(encoding=encoding))
