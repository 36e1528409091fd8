# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs the ROS 2 messages")

from sensor_msgs.msg import CameraInfo

from mixformer2_ros.ros.camera import CameraInfoError, CameraModel, direction_angles

K = [600.0, 0.0, 322.5, 0.0, 610.0, 238.2, 0.0, 0.0, 1.0]
PLUMB_BOB = [-0.31, 0.12, 0.001, -0.0007, -0.02]
RATIONAL = [0.8, -0.3, 0.0005, 0.0004, 0.05, 1.1, -0.2, 0.02]
FISHEYE = [-0.02, 0.004, -0.003, 0.0006]
PIXELS = [(0.0, 0.0), (639.0, 479.0), (322.5, 238.2), (100.0, 400.0), (500.25, 33.5)]


def camera_info(model: str = "plumb_bob", coefficients=(), **fields) -> CameraInfo:
    info = CameraInfo()
    info.width, info.height = 640, 480
    info.k = K
    info.p = [580.0, 0.0, 318.0, 0.0, 0.0, 590.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    info.distortion_model = model
    info.d = list(coefficients)
    for name, value in fields.items():
        setattr(info, name, value)
    return info


@pytest.mark.parametrize(
    ("model", "coefficients"), [("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL)]
)
@pytest.mark.parametrize("pixel", PIXELS)
def test_rays_agree_with_opencv(model, coefficients, pixel):
    ray = CameraModel.from_message(camera_info(model, coefficients)).ray(*pixel)
    matrix = np.array(K).reshape(3, 3)
    # OpenCV stops its own inversion after a few steps: hence the loose bound here ...
    x, y = cv2.undistortPoints(np.array([[pixel]]), matrix, np.array(coefficients))[0, 0]
    np.testing.assert_allclose(ray[:2] / ray[2], (x, y), atol=2e-3)
    assert np.linalg.norm(ray) == pytest.approx(1)
    # ... and the tight one for the way back.
    back = cv2.projectPoints(ray[None], np.zeros(3), np.zeros(3), matrix, np.array(coefficients))[0]
    np.testing.assert_allclose(back[0, 0], pixel, atol=1e-3)


@pytest.mark.parametrize("pixel", PIXELS)
def test_fisheye_rays_agree_with_opencv(pixel):
    ray = CameraModel.from_message(camera_info("equidistant", FISHEYE)).ray(*pixel)
    matrix = np.array(K).reshape(3, 3)
    x, y = cv2.fisheye.undistortPoints(np.array([[pixel]]), matrix, np.array(FISHEYE))[0, 0]
    np.testing.assert_allclose(ray[:2] / ray[2], (x, y), atol=1e-6)


def test_fisheye_sees_behind_itself():
    ray = CameraModel.from_message(
        camera_info("equidistant", [0.0] * 4, k=[180.0, 0.0, 320.0, 0.0, 180.0, 240.0, 0, 0, 1])
    ).ray(320.0 + 180.0 * 1.9, 240.0)
    np.testing.assert_allclose(ray, [math.sin(1.9), 0.0, math.cos(1.9)], atol=1e-9)


def test_points_the_calibration_does_not_describe_have_no_ray():
    strong = CameraModel.from_message(camera_info("plumb_bob", [-0.9, 0.0, 0.0, 0.0, 0.0]))
    assert strong.ray(322.5, 238.2) is not None
    assert strong.ray(-900.0, -900.0) is None
    folded = CameraModel.from_message(camera_info("equidistant", [-0.5, 0.0, 0.0, 0.0]))
    assert folded.ray(3000.0, 238.2) is None


def test_without_distortion_the_camera_is_a_pinhole():
    for model in ("", "plumb_bob"):
        ray = CameraModel.from_message(camera_info(model, [0.0] * 5)).ray(922.5, 238.2)
        np.testing.assert_allclose(ray, np.array([1, 0, 1]) / math.sqrt(2))


def test_rectified_images_use_the_projection_matrix():
    model = CameraModel.from_message(camera_info("plumb_bob", PLUMB_BOB), rectified=True)
    np.testing.assert_allclose(model.ray(318.0 + 580.0, 241.0), np.array([1, 0, 1]) / math.sqrt(2))


def test_a_resized_image_gives_the_same_direction():
    model = CameraModel.from_message(camera_info("plumb_bob", PLUMB_BOB))
    half = model.scaled_to(320, 240)
    # The outer edges of both images are the same line: pixel borders scale, not pixel centres.
    np.testing.assert_allclose(half.ray(49.75, 99.75), model.ray(100.0, 200.0), atol=1e-9)
    assert model.scaled_to(640, 480) is model
    with pytest.raises(CameraInfoError, match=r"640x480.*640x360.*another shape"):
        model.scaled_to(640, 360)


def test_binning_and_region_of_interest_are_applied():
    info = camera_info("plumb_bob", PLUMB_BOB, binning_x=2, binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 50, 400, 300
    model = CameraModel.from_message(info)
    assert (model.width, model.height) == (200, 150)
    full = CameraModel.from_message(camera_info("plumb_bob", PLUMB_BOB))
    np.testing.assert_allclose(model.ray(9.75, 9.75), full.ray(120.0, 70.0), atol=1e-9)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (CameraInfo(width=640, height=480), "not calibrated"),
        (camera_info(k=[math.nan] * 9), "nan.*not calibrated"),
        (camera_info(width=0), "0x480"),
        (camera_info("plumb_bob", [math.inf] * 5), "inf"),
        (camera_info("plumb_bob", [0.1] * 8), "'plumb_bob' with 8"),
        (camera_info("thin_prism", [0.1] * 4), "'thin_prism' with 4.*rectified"),
    ],
)
def test_unusable_calibrations_are_explained(info, words):
    with pytest.raises(CameraInfoError, match=words):
        CameraModel.from_message(info)


@pytest.mark.parametrize(
    ("ray", "azimuth", "elevation"),
    [
        ((0, 0, 1), 0, 0),
        ((1, 0, 1), math.pi / 4, 0),
        ((-1, 0, 1), -math.pi / 4, 0),
        ((0, 1, 1), 0, -math.pi / 4),
        ((0, -1, 1), 0, math.pi / 4),
        ((1, 0, -1), 3 * math.pi / 4, 0),
    ],
)
def test_azimuth_is_right_and_elevation_is_up(ray, azimuth, elevation):
    assert direction_angles(np.array(ray, float)) == pytest.approx((azimuth, elevation))


def test_the_ray_of_a_box_goes_through_its_centre():
    model = CameraModel.from_message(camera_info("plumb_bob", PLUMB_BOB))
    # A box of one pixel: its centre is the pixel's centre, a whole number to CameraInfo.
    np.testing.assert_allclose(model.box_ray([100, 200, 1, 1]), model.ray(100.0, 200.0))
    np.testing.assert_allclose(model.box_ray([90, 180, 21, 41]), model.ray(100.0, 200.0))
