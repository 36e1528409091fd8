# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.scenes.batched.compression import compress  # noqa: E402


def picture() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize("quality", [25, 50, 85])
def test_loses_what_jpeg_loses(quality: int):
    image = picture()
    _, data = cv2.imencode(
        ".jpg",
        image,
        [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ],
    )
    # OpenCV takes BGR: the planes are told apart by their order alone.
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(float)
    images = torch.from_numpy(image[..., ::-1] / np.float32(255)).permute(2, 0, 1)[None]
    made = compress(images, torch.tensor([float(quality)]))[0].clamp(0, 1)
    made = made.permute(1, 2, 0).numpy()[..., ::-1] * 255.0
    loss = np.abs(expected - image).mean()
    assert np.abs(made - expected).mean() < max(0.35 * loss, 1.0)
