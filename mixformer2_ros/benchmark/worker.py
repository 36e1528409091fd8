# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that runs one subject and is told when: what is measured shares it with nothing.

Threads that wait for work, caches and memory of one engine would otherwise be another one's, and
the first box after the start can only be timed in a fresh process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

from mixformer2_ros.benchmark import machine
from mixformer2_ros.benchmark.subjects import Spec, Times, load
from mixformer2_ros.inference import ModelError


class Worker:
    """A child process with one subject.

    Args:
        spec: The subject.

    Attributes:
        description: What it is, in words.
        start_seconds: From the start of the process to its first result.

    Raises:
        ModelError: It cannot be run here; the message says why.
    """

    def __init__(self, spec: Spec) -> None:
        began = time.perf_counter()
        self.spec = spec
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(spec.to_json())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.description: str = self._answer()["description"]
        except ModelError:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - began

    def run(
        self, frames: int, targets: int = 1, pause: float = 0.0, settle: float = 0.0
    ) -> tuple[int, list[Times]]:
        """Compute frames.

        Args:
            frames: That count.
            targets: In each of them.
            pause: Seconds before each of them.
            settle: Seconds of frames before those that count, at least one frame.

        Returns:
            How many did not count, and the times of the others.
        """
        question = {"frames": frames, "targets": targets, "pause": pause, "settle": settle}
        answer = self._ask(question)
        return answer["uncounted"], answer["times"]

    def peak_memory(self) -> int:
        """Return the most bytes the process has held so far."""
        return machine.resident_memory(self._process.pid, peak=True)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ModelError(f"the process of {self.spec} died, exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ModelError(answer["error"])
        return answer


def serve(spec: Spec, questions: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Answer questions about a subject, the first answer without being asked.

    Args:
        spec: The subject.
        questions: JSON objects of the arguments of `Worker.run`.
    """
    try:
        subject = load(spec)
        targets = 1
        frame = subject.prepare(targets)
        frame()
    except (RuntimeError, ValueError) as error:
        yield {"error": str(error)}
        return
    yield {"description": subject.description}
    for line in questions:
        question = json.loads(line)
        if question["targets"] != targets:
            targets = question["targets"]
            frame = subject.prepare(targets)
        uncounted, end = 0, time.perf_counter() + question["settle"]
        while not uncounted or time.perf_counter() < end:
            time.sleep(question["pause"])
            frame()
            uncounted += 1
        times = []
        for _ in range(question["frames"]):
            time.sleep(question["pause"])
            times.append(frame())
        yield {"uncounted": uncounted, "times": times}


if __name__ == "__main__":
    # What libraries print must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for answer in serve(Spec.from_json(json.loads(sys.argv[1])), sys.stdin):
        print(json.dumps(answer), file=answers, flush=True)
