# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training samples painted in batches on the GPU: NumPy describes them, PyTorch renders them.

A description is a few hundred numbers a sample, drawn on the host from (seed, batch, sample)
alone; the device never has to answer, so that nothing waits for it. The crops are rendered
directly, never a whole frame: every layer is one texture seen through one smooth warp.
"""
