# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What trackers answered, kept on disk in the benchmarks' own text formats.

A store is a folder with one folder per tracker. Inside, the results of a sequence `S` lie in one of
two published layouts; reading recognises both, so results of other toolkits are read in place:

flat (OTB, LaSOT, TrackingNet, pytracking):
    `S.txt` one box a line (x, y, w, h), `S_time.txt` seconds per frame,
    `S_object_presence_scores.txt` confidences, `S_states.txt`, `S_meta.json`.
got10k (GOT-10k toolkit):
    `S/S_001.txt`, `S/S_time.txt`, and the other side files beside them.

Numbers are written so that reading gives the same float64 again; they are never rounded. The file
of boxes is written last and appears in one step, so a sequence that has it is finished.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixformer2_ros.annotations import AnnotationError, read_numbers

Layout = Literal["flat", "got10k"]
"""The published layouts of a tracker's results."""

_SIDE_FILES = {"times": "_time.txt", "scores": "_object_presence_scores.txt"}
_STATES, _META, _ERROR = "_states.txt", "_meta.json", "_error.log"
_NOT_BOXES = (*_SIDE_FILES.values(), _STATES)


class ResultError(ValueError):
    """A stored result cannot be read or written; the message says why and what to do."""


@dataclass(frozen=True)
class SequenceResult:
    """What one tracker answered on one sequence of N frames.

    Attributes:
        boxes: (N, 4) float64, x, y, w, h in pixels of the frame; NaN where the tracker gives none.
            The row of the frame the tracker was started on is the box it was given.
        scores: (N,) float64 confidence in [0, 1]; NaN where there is none.
        states: (N,) int8 numbers of `tracking.types.TargetState`; -1 where there is none.
        times: (N,) float64 seconds spent on each frame, the first one's being the start; NaN where
            not measured.
        frame_size: Width and height of the frames in pixels, or None when not known.
        meta: Anything else worth keeping beside the boxes (JSON values), such as the engine.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    states: NDArray[np.int8]
    times: NDArray[np.float64]
    frame_size: tuple[int, int] | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.boxes)
        if self.boxes.shape != (count, 4):
            raise ResultError(f"boxes have shape {self.boxes.shape}; give (N, 4): x, y, w, h")
        for name in ("scores", "states", "times"):
            shape = getattr(self, name).shape
            if shape != (count,):
                raise ResultError(f"{name} have shape {shape}; {count} boxes need ({count},)")

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of(
        cls,
        boxes: ArrayLike,
        *,
        scores: ArrayLike | None = None,
        states: ArrayLike | None = None,
        times: ArrayLike | None = None,
        frame_size: tuple[int, int] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> SequenceResult:
        """Make a result from what there is; what is left out becomes NaN (states: -1).

        Args:
            boxes: (N, 4) boxes x, y, w, h in pixels.
            scores: (N,) confidences.
            states: (N,) target states.
            times: (N,) seconds per frame.
            frame_size: Width and height of the frames in pixels.
            meta: JSON values to keep beside the boxes.

        Raises:
            ResultError: The lengths do not agree.
        """
        rows = np.asarray(boxes, np.float64).reshape(-1, 4)
        unknown = np.full(len(rows), np.nan)
        return cls(
            boxes=rows,
            scores=unknown if scores is None else np.asarray(scores, np.float64),
            states=np.asarray(np.full(len(rows), -1) if states is None else states, np.int8),
            times=unknown if times is None else np.asarray(times, np.float64),
            frame_size=frame_size,
            meta=meta or {},
        )


def format_numbers(rows: ArrayLike) -> str:
    """Return numbers as text, one row a line, commas between; reading gives the same float64."""
    values = np.asarray(rows, np.float64)
    lines = values.reshape(len(values), -1).tolist()
    return "".join(",".join(map(repr, line)) + "\n" for line in lines)


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: readers see the whole new text, or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class ResultStore:
    """Results of trackers in a folder.

    Example:
        >>> store = ResultStore("results")
        >>> store.write("kcf", "Crossing", SequenceResult.of(boxes, times=seconds))
        >>> store.read("kcf", "Crossing").boxes

    Args:
        root: The folder; made when something is written.
        layout: Layout to write: "flat", or "got10k" for GOT-10k's server.
    """

    def __init__(self, root: str | os.PathLike[str], layout: Layout = "flat") -> None:
        self.root = Path(root)
        self.layout = layout

    def trackers(self) -> list[str]:
        """Names of the trackers that have results here, sorted."""
        if not self.root.is_dir():
            return []
        folders = [path.name for path in self.root.iterdir() if path.is_dir()]
        return sorted(name for name in folders if self.sequences(name))

    def sequences(self, tracker: str) -> list[str]:
        """Names of the finished sequences of a tracker, sorted."""
        folder = self.root / tracker
        if not folder.is_dir():
            return []
        names = [
            path.stem
            for path in folder.glob("*.txt")
            if not path.name.startswith(".") and not _is_side_file(path)
        ]
        names += [path.name for path in folder.iterdir() if _got10k_file(path).is_file()]
        return sorted(set(names))

    def has(self, tracker: str, sequence: str) -> bool:
        """Return whether a tracker's results of a sequence are here, finished."""
        return self._boxes_file(tracker, sequence) is not None

    def write(self, tracker: str, sequence: str, result: SequenceResult) -> None:
        """Keep a result, replacing an older one; the boxes appear last, in one step.

        Raises:
            ResultError: The name of the tracker or sequence cannot be a file name.
            OSError: The disk is full or the folder not writable.
        """
        path = self._path(tracker, sequence, self.layout)
        stem = self._side_stem(path, sequence)
        for attribute, ending in _SIDE_FILES.items():
            _write_or_remove(stem, ending, getattr(result, attribute))
        states = result.states.astype(np.float64)
        _write_or_remove(stem, _STATES, np.where(states < 0, np.nan, states))
        meta = dict(result.meta)
        if result.frame_size is not None:
            meta["frame_size"] = list(result.frame_size)
        write_text(Path(f"{stem}{_META}"), json.dumps(meta, indent=1, sort_keys=True) + "\n")
        write_text(path, format_numbers(result.boxes))
        Path(f"{stem}{_ERROR}").unlink(missing_ok=True)

    def read(self, tracker: str, sequence: str) -> SequenceResult:
        """Return a stored result; side files that are missing give NaN (states: -1).

        Raises:
            ResultError: There is none, or a file is damaged.
        """
        path = self._boxes_file(tracker, sequence)
        if path is None:
            raise ResultError(
                f"{self.root}: no result of tracker {tracker!r} on sequence {sequence!r} (but on "
                f"{len(self.sequences(tracker))} others): run the evaluation to its end"
            )
        boxes = _read_numbers(path, 4)
        stem = self._side_stem(path, sequence)
        sides = {
            name: _read_side(self._existing_side(path, stem, ending), len(boxes))
            for name, ending in _SIDE_FILES.items()
        }
        states = _read_side(Path(f"{stem}{_STATES}"), len(boxes))
        meta = _read_meta(Path(f"{stem}{_META}"))
        size = meta.pop("frame_size", None)
        return SequenceResult(
            boxes=boxes,
            scores=sides["scores"],
            states=np.nan_to_num(states, nan=-1).astype(np.int8),
            times=sides["times"],
            frame_size=None if size is None else (int(size[0]), int(size[1])),
            meta=meta,
        )

    def meta(self, tracker: str, sequence: str) -> dict[str, Any]:
        """Return the `meta` of a stored result, without reading its boxes; empty without any."""
        path = self._boxes_file(tracker, sequence)
        return {} if path is None else _read_meta(Path(f"{self._side_stem(path, sequence)}{_META}"))

    def write_error(self, tracker: str, sequence: str, message: str) -> None:
        """Keep why a sequence could not be finished; a later `write` removes it."""
        path = self._path(tracker, sequence, self.layout)
        write_text(Path(f"{self._side_stem(path, sequence)}{_ERROR}"), message.rstrip() + "\n")

    def read_error(self, tracker: str, sequence: str) -> str | None:
        """Return why a sequence could not be finished, or None."""
        for layout in ("flat", "got10k"):
            path = self._path(tracker, sequence, layout)
            file = Path(f"{self._side_stem(path, sequence)}{_ERROR}")
            if file.is_file():
                return file.read_text().rstrip()
        return None

    def pack(self, tracker: str, sequences: Iterable[str], path: str | os.PathLike[str]) -> None:
        """Zip a tracker's boxes for a benchmark's server, in the layout of this store.

        A frame without a box is written as 0,0,0,0, because the servers do not read NaN. With
        "flat" every `S.txt` lies at the top (TrackingNet); with "got10k" `S/S_001.txt` and
        `S/S_time.txt`.

        Args:
            tracker: Whose results.
            sequences: Names of all sequences of the benchmark.
            path: The zip file to write.

        Raises:
            ResultError: A sequence is missing.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sequences:
                result = self.read(tracker, name)
                boxes = format_numbers(np.nan_to_num(result.boxes, nan=0.0))
                if self.layout == "flat":
                    archive.writestr(f"{name}.txt", boxes)
                else:
                    archive.writestr(f"{name}/{name}_001.txt", boxes)
                    archive.writestr(f"{name}/{name}_time.txt", format_numbers(result.times))
        os.replace(partial, target)

    def _path(self, tracker: str, sequence: str, layout: str) -> Path:
        for kind, name in (("tracker", tracker), ("sequence", sequence)):
            if not name or name != Path(name).name or name.startswith("."):
                raise ResultError(f"{kind} name {name!r} cannot be a file name: rename it")
        folder = self.root / tracker
        return folder / f"{sequence}.txt" if layout == "flat" else _got10k_file(folder / sequence)

    def _boxes_file(self, tracker: str, sequence: str) -> Path | None:
        for layout in ("flat", "got10k"):
            path = self._path(tracker, sequence, layout)
            if path.is_file():
                return path
        return None

    @staticmethod
    def _side_stem(boxes: Path, sequence: str) -> Path:
        return boxes.with_name(sequence)

    @staticmethod
    def _existing_side(boxes: Path, stem: Path, ending: str) -> Path:
        """Return where a side file is: the GOT-10k toolkit keeps times of OTB runs in `times/`."""
        beside = Path(f"{stem}{ending}")
        apart = boxes.parent / "times" / f"{stem.name}{ending}"
        return apart if apart.is_file() and not beside.is_file() else beside


def _got10k_file(folder: Path) -> Path:
    return folder / f"{folder.name}_001.txt"


def _is_side_file(path: Path) -> bool:
    """Tell side files from boxes: `S_time.txt` is one when there are boxes `S.txt`, or none yet."""
    for ending in _NOT_BOXES:
        if path.name.endswith(ending):
            owner = path.with_name(path.name[: -len(ending)] + ".txt")
            return owner.is_file() or not _has_four_columns(path)
    return False


def _has_four_columns(path: Path) -> bool:
    with path.open() as file:
        return len(file.readline().replace(",", " ").split()) == 4


def _write_or_remove(stem: Path, ending: str, values: NDArray[np.float64]) -> None:
    path = Path(f"{stem}{ending}")
    if np.isnan(values).all():
        path.unlink(missing_ok=True)
    else:
        write_text(path, format_numbers(values))


def _read_numbers(path: Path, columns: int) -> NDArray[np.float64]:
    try:
        return read_numbers(path, columns)
    except AnnotationError as error:
        raise ResultError(str(error)) from error


def _read_side(path: Path, count: int) -> NDArray[np.float64]:
    """Read one number a frame; of several repetitions (GOT-10k) the first column counts."""
    if not path.is_file():
        return np.full(count, np.nan)
    first = path.read_text().split("\n", 1)[0]
    columns = max(len(first.replace(",", " ").split()), 1)
    values = _read_numbers(path, columns)[:, 0]
    if len(values) != count:
        raise ResultError(f"{path}: {len(values)} lines for {count} boxes; delete it or run again")
    return values


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise ResultError(f"{path}: not JSON ({error}); delete it or run again") from error
