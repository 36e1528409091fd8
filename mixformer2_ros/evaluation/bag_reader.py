# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and boxes out of ROS bags, read directly: always the same, and without ROS.

rosbag2 in sqlite3 and mcap, with compressed files, messages or chunks, of all distributions, and
rosbag1. Playing a bag instead (`ros2 bag play`) drops other frames every time. Whatever can be read
of a damaged bag is read; what was left out is counted in `BagReader.warnings`.

Needs the extra `bags` (rosbags).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader

from mixformer2_ros.evaluation.bag_messages import (
    COMPRESSED_IMAGE,
    DETECTION,
    DETECTIONS,
    IMAGE,
    BagError,
    box_of,
    message_types,
    nanoseconds,
)
from mixformer2_ros.evaluation.bag_salvage import IntactMcap, salvage
from mixformer2_ros.ros.images import ImageError, frame_from_message
from mixformer2_ros.tracking.frame import Frame

IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
TRUTH_TYPES = (DETECTION, DETECTIONS)

_STORAGE_FILES = (".mcap", ".db3", ".bag")

_UNREADABLE = "{count} messages of {topic} could not be read and were left out (first: {detail})"
_OUT_OF_ORDER = (
    "{count} images of {topic} are not newer than one before them and were left out (first: "
    "{detail})"
)


@dataclass(frozen=True)
class BagImage:
    """One image of a bag.

    Attributes:
        index: Its number among the messages of its topic, left out ones included.
        stamp_ns: Stamp of its header; where that is zero, the time it was received.
        frame_id: Coordinate frame of its header.
        frame: The image; compressed ones are decoded when their pixels are read.
    """

    index: int
    stamp_ns: int
    frame_id: str
    frame: Frame


class BagReader:
    """Reads one bag; a context manager.

    Args:
        path: Folder of a rosbag2 recording, or a .mcap, .db3 or .bag file.

    Attributes:
        topics: Type and number of messages of every topic.

    Raises:
        BagError: It is not there, not a bag, or so damaged that nothing can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._warnings: list[str] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._details: dict[tuple[str, str], str] = {}
        self._resources = ExitStack()
        self._reader = self._open(path)
        self._resources.callback(self._reader.close)
        self.topics: dict[str, tuple[str, int]] = {
            name: (topic.msgtype or "several types", topic.msgcount)
            for name, topic in self._reader.topics.items()
        }

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    @property
    def warnings(self) -> list[str]:
        """What had to be left out so far, in words with counts."""
        counted = [
            text.format(count=count, topic=topic, detail=self._details[text, topic])
            for (text, topic), count in self._counts.items()
        ]
        return [*self._warnings, *counted]

    def image_topic(self, name: str | None) -> str:
        """Check the name of an image topic; None takes the only one there is.

        Raises:
            BagError: There is no such topic, or there are several to choose from.
        """
        if name is not None:
            self._check_topic(name, IMAGE_TYPES)
            return name
        found = [topic for topic, (kind, _) in self.topics.items() if kind in IMAGE_TYPES]
        if len(found) != 1:
            raise BagError(
                f"{self.path} has {len(found)} image topics: choose one with --image-topic. "
                f"{self._listing()}"
            )
        return found[0]

    def images(self, topic: str) -> Iterator[BagImage]:
        """Yield the images of a topic in time order.

        An image that is not newer than one before it is left out, as is one that cannot be read.

        Raises:
            BagError: There is no such topic.
        """
        self._check_topic(topic, IMAGE_TYPES)
        newest: int | None = None
        for index, (received_ns, message) in enumerate(self._messages(topic)):
            stamp_ns = nanoseconds(message.header.stamp) or received_ns
            if newest is not None and stamp_ns <= newest:
                self._count(_OUT_OF_ORDER, topic, f"image {index} after {newest - stamp_ns} ns")
                continue
            try:
                frame = frame_from_message(message)
            except ImageError as error:
                self.count_unreadable(topic, str(error))
                continue
            newest = stamp_ns
            yield BagImage(index, stamp_ns, message.header.frame_id, frame)

    def boxes(self, topic: str) -> dict[int, NDArray[np.float64]]:
        """Read a topic of detections.

        Args:
            topic: Of type Detection2D, or Detection2DArray, of which the first detection counts.

        Returns:
            (4,) x, y, w, h in pixels by stamp in nanoseconds; NaN where the target is not visible.

        Raises:
            BagError: There is no such topic, or it is empty.
        """
        self._check_topic(topic, TRUTH_TYPES)
        found = {
            nanoseconds(message.header.stamp) or received_ns: box_of(message)
            for received_ns, message in self._messages(topic)
        }
        if not found:
            raise BagError(f"topic {topic!r} of {self.path} has no messages. {self._listing()}")
        return found

    def count_unreadable(self, topic: str, detail: str) -> None:
        """Count a message that turned out to be unreadable when its pixels were needed."""
        self._count(_UNREADABLE, topic, detail)

    def _messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Yield time of reception and message; a damaged bag ends early, with a warning."""
        connections = [item for item in self._reader.connections if item.topic == topic]
        stored = self._reader.messages(connections)
        seen = 0
        while True:
            try:
                connection, received_ns, data = next(stored)
            except StopIteration:
                return
            except Exception as error:  # a damaged file fails in the reader's many libraries
                self._warnings.append(
                    f"{self.path} is damaged: {topic} ends after {seen} of "
                    f"{self.topics[topic][1]} messages ({_reason(error)})"
                )
                return
            seen += 1
            try:
                message = self._reader.deserialize(data, connection.msgtype)
            except Exception as error:  # likewise
                self.count_unreadable(topic, _reason(error))
                continue
            yield received_ns, message

    def _count(self, text: str, topic: str, detail: str) -> None:
        self._counts[text, topic] += 1
        self._details.setdefault((text, topic), detail)

    def _check_topic(self, name: str, types: tuple[str, ...]) -> None:
        if name not in self.topics:
            raise BagError(f"{self.path} has no topic {name!r}. {self._listing()}")
        kind, _ = self.topics[name]
        if kind not in types:
            raise BagError(
                f"topic {name!r} of {self.path} has type {kind}, not {' or '.join(types)}. "
                f"{self._listing()}"
            )

    def _listing(self) -> str:
        if not self.topics:
            return "The bag is empty."
        lines = [
            f"  {name} ({kind}, {count} messages)"
            for name, (kind, count) in sorted(self.topics.items())
        ]
        return "\n".join(["Its topics are:", *lines])

    def _open(self, path: Path) -> AnyReader:
        if not path.exists():
            raise BagError(f"{path} does not exist: give a bag's folder or its .mcap or .db3 file")
        try:
            return _opened(self._files(path))
        except BagError:
            raise
        except Exception as error:  # a damaged file fails in the reader's many libraries
            self._warnings.append(
                f"{path} is damaged, what is left of it is read: {_reason(error)}"
            )
            return self._salvaged(path, error)

    def _salvaged(self, path: Path, error: Exception) -> AnyReader:
        try:
            folder = Path(self._resources.enter_context(TemporaryDirectory()))
            files = [path] if path.is_file() else _storage_files(path)
            return _opened([salvage(file, folder) for file in files])
        except Exception:  # likewise
            self._resources.close()
            raise BagError(
                f"{path} cannot be read as a bag ({_reason(error)}). If the recording was "
                "interrupted, try to repair it with `ros2 bag reindex`, `mcap recover` or "
                "sqlite3's `.recover`"
            ) from error

    def _files(self, path: Path) -> list[Path]:
        if path.is_file() or (path / "metadata.yaml").is_file():
            return [path]
        files = _storage_files(path)
        if not files:
            raise BagError(
                f"{path} is not a bag: it has neither metadata.yaml nor a .mcap, .db3 or .bag file"
            )
        self._warnings.append(f"{path} has no metadata.yaml: the recording was interrupted")
        return files


def _storage_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in _STORAGE_FILES)


def _opened(files: Sequence[Path | IntactMcap]) -> AnyReader:
    reader = AnyReader(cast("list[Path]", files), default_typestore=message_types())
    reader.open()
    return reader


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
