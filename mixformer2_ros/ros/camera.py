# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a pixel to a direction, by the calibration in sensor_msgs/CameraInfo.

Directions are in the camera's optical frame (REP 103): x right, y down, z forward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ITERATIONS = 50
_CONVERGED = 1e-12
_INVERSE_TOLERANCE = 1e-5
_ASPECT_TOLERANCE = 0.01
# Coefficients of plumb_bob and rational_polynomial: k1 k2 p1 p2 k3 k4 k5 k6.
_BROWN_COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8}
_FISHEYE_MODELS = ("equidistant", "fisheye")


class CameraInfoError(ValueError):
    """A CameraInfo without a usable calibration; the text names value, reason and cure."""


@dataclass(frozen=True)
class CameraModel:
    """Pinhole camera with a lens, as CameraInfo describes it.

    Integer pixel coordinates are pixel centres here, as in OpenCV and CameraInfo.

    Attributes:
        width: Columns of the image the calibration is for.
        height: Rows of that image.
        matrix: fx, fy, cx, cy in pixels of that image.
        distortion_model: plumb_bob, rational_polynomial, equidistant, or "" for no distortion.
        coefficients: Distortion coefficients in OpenCV's order, padded to the model's length.
    """

    width: int
    height: int
    matrix: tuple[float, float, float, float]
    distortion_model: str
    coefficients: tuple[float, ...]

    @classmethod
    def from_message(cls, info: Any, *, rectified: bool = False) -> CameraModel:
        """Read a ``sensor_msgs/CameraInfo``, its binning and region of interest included.

        Args:
            info: The message.
            rectified: The image is rectified already: use the projection matrix P, no distortion.

        Returns:
            The model.

        Raises:
            CameraInfoError: The message holds no usable calibration.
        """
        matrix, name = (
            ([info.p[i] for i in (0, 5, 2, 6)], "P")
            if rectified
            else (
                [info.k[i] for i in (0, 4, 2, 5)],
                "K",
            )
        )
        if not all(math.isfinite(value) for value in matrix) or min(matrix[:2]) <= 0:
            raise CameraInfoError(
                f"camera_info: fx, fy, cx, cy of {name} are {matrix}, so the camera is not "
                "calibrated; calibrate it (camera_calibration) or do without directions"
            )
        model, coefficients = ("", ()) if rectified else _distortion(info)
        roi = info.roi
        width, height = roi.width or info.width, roi.height or info.height
        binning_x, binning_y = max(1, info.binning_x), max(1, info.binning_y)
        width, height = width // binning_x, height // binning_y
        if width < 1 or height < 1:
            raise CameraInfoError(
                f"camera_info: the image size is {width}x{height}; the driver must fill in width "
                "and height"
            )
        fx, fy, cx, cy = (float(value) for value in matrix)
        cx = (cx - roi.x_offset + 0.5) / binning_x - 0.5
        cy = (cy - roi.y_offset + 0.5) / binning_y - 0.5
        return cls(width, height, (fx / binning_x, fy / binning_y, cx, cy), model, coefficients)

    def scaled_to(self, width: int, height: int) -> CameraModel:
        """The same camera for its image resized to another resolution.

        Args:
            width: Columns of the resized image.
            height: Rows of the resized image.

        Returns:
            The model for that size.

        Raises:
            CameraInfoError: The size has another shape, so it is not just resized.
        """
        if (width, height) == (self.width, self.height):
            return self
        scale_x, scale_y = width / self.width, height / self.height
        if abs(scale_x / scale_y - 1) > _ASPECT_TOLERANCE:
            raise CameraInfoError(
                f"camera_info is for {self.width}x{self.height}, but the image has "
                f"{width}x{height}, another shape: publish the calibration of this image"
            )
        fx, fy, cx, cy = self.matrix
        matrix = (
            fx * scale_x,
            fy * scale_y,
            (cx + 0.5) * scale_x - 0.5,
            (cy + 0.5) * scale_y - 0.5,
        )
        return CameraModel(width, height, matrix, self.distortion_model, self.coefficients)

    def ray(self, x: float, y: float) -> NDArray[np.float64] | None:
        """Direction in which a pixel looks, lens distortion removed.

        Args:
            x: Column; 0 is the centre of the first pixel.
            y: Row; 0 is the centre of the first pixel.

        Returns:
            Unit vector (3,) in the optical frame, or ``None`` where the lens model has no answer
            (a point outside the part of the image the calibration describes).
        """
        fx, fy, cx, cy = self.matrix
        point = (x - cx) / fx, (y - cy) / fy
        if self.distortion_model in _FISHEYE_MODELS:
            return _fisheye_ray(*point, self.coefficients)
        if self.distortion_model in _BROWN_COEFFICIENTS:
            undistorted = _undistort(*point, self.coefficients)
            if undistorted is None:
                return None
            point = undistorted
        direction = np.array([*point, 1.0])
        return direction / np.linalg.norm(direction)

    def box_ray(self, box: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Direction of a box's centre.

        Args:
            box: x, y, w, h in pixels of the image; a box from 0 to 1 is the first pixel, whose
                centre is at 0 for ``ray``.

        Returns:
            As ``ray``.
        """
        x, y, width, height = (float(value) for value in box)
        return self.ray(x + 0.5 * width - 0.5, y + 0.5 * height - 0.5)


def direction_angles(ray: NDArray[np.float64]) -> tuple[float, float]:
    """Azimuth and elevation of a direction in the optical frame.

    Args:
        ray: Vector (3,): x right, y down, z forward.

    Returns:
        Azimuth (rad, + right of the optical axis) and elevation (rad, + up).
    """
    x, y, z = (float(value) for value in ray)
    return math.atan2(x, z), math.atan2(-y, math.hypot(x, z))


def _distortion(info: Any) -> tuple[str, tuple[float, ...]]:
    model = info.distortion_model
    coefficients = tuple(float(value) for value in info.d)
    if not all(math.isfinite(value) for value in coefficients):
        raise CameraInfoError(
            f"camera_info: the distortion coefficients are {list(coefficients)}; calibrate again"
        )
    if not any(coefficients) and model not in _FISHEYE_MODELS:
        return "", ()
    length = 4 if model in _FISHEYE_MODELS else _BROWN_COEFFICIENTS.get(model)
    if length is None or len(coefficients) > length:
        raise CameraInfoError(
            f"camera_info: distortion model {model!r} with {len(coefficients)} coefficients is not "
            "supported: use plumb_bob (5), rational_polynomial (8) or equidistant (4), or track on "
            "the rectified image"
        )
    return model, coefficients + (0.0,) * (length - len(coefficients))


def _distort(x: float, y: float, coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """Radial factor and tangential shift of the Brown-Conrady model (OpenCV calib3d)."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*coefficients, 0.0, 0.0, 0.0)[:8]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    shift_x = 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    shift_y = p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return radial, shift_x, shift_y


def _undistort(u: float, v: float, coefficients: tuple[float, ...]) -> tuple[float, float] | None:
    """Invert the lens model by fixed-point iteration, as OpenCV's undistortPoints does."""
    x, y = u, v
    for _ in range(_ITERATIONS):
        radial, shift_x, shift_y = _distort(x, y, coefficients)
        if radial <= 0:
            return None
        last_x, last_y = x, y
        x, y = (u - shift_x) / radial, (v - shift_y) / radial
        if abs(x - last_x) + abs(y - last_y) < _CONVERGED:
            break
    radial, shift_x, shift_y = _distort(x, y, coefficients)
    error = math.hypot(x * radial + shift_x - u, y * radial + shift_y - v)
    return (x, y) if error < _INVERSE_TOLERANCE else None


def _fisheye_ray(u: float, v: float, coefficients: tuple[float, ...]) -> NDArray[np.float64] | None:
    """Invert r = theta (1 + k1 theta^2 + ... + k4 theta^8) by Newton's method.

    Source: Kannala and Brandt 2006, in the form of OpenCV's fisheye module; angles beyond 90
    degrees come out right, which a point on the plane z = 1 could not say.
    """
    radius = math.hypot(u, v)
    if radius < _CONVERGED:
        return np.array([0.0, 0.0, 1.0])
    powers = (2, 4, 6, 8)
    theta = min(radius, math.pi)
    error = math.inf
    for _ in range(_ITERATIONS):
        terms = [k * theta**n for k, n in zip(coefficients, powers, strict=True)]
        error = theta * (1 + sum(terms)) - radius
        slope = 1 + sum((n + 1) * term for n, term in zip(powers, terms, strict=True))
        if abs(error) < _CONVERGED or slope <= 0:
            break
        theta = min(max(theta - error / slope, 0.0), math.pi)
    if abs(error) > _INVERSE_TOLERANCE:
        return None
    side = math.sin(theta) / radius
    return np.array([u * side, v * side, math.cos(theta)])
