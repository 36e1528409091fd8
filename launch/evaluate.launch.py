# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores the live tracker by what it really publishes, on a source or a bag played to it.

    ros2 launch mixformer2_ros evaluate.launch.py video_source:=scene:3
    ros2 launch mixformer2_ros evaluate.launch.py bag:=surfer

A bag needs its truth as vision_msgs/Detection2D; `mixformer2 bag make` writes such bags. Results
and a report are written to the folder `out`. The player starts when the tracker is ready;
everything ends when it has ended.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

PACKAGE = "mixformer2_ros"
READY = b"evaluator: ready"
TRACK = Path(__file__).with_name("track.launch.py")

# What goes on to track.launch.py as it is.
PASSED_ON = {
    "image": ("image", "Topic of the image, without /compressed; for a bag the topic in it."),
    "image_transport": ("", "raw or compressed. Empty: as the parameter file says, else raw."),
    "model": ("", "The network: small or base. Empty: as the parameter file says, else small."),
    "checkpoint": ("", "File with weights. Empty: those that come with the package."),
    "device": ("", "cpu, cuda, cuda:1, auto. Empty: as the parameter file says, else auto."),
    "params_file": ("", "Parameters of the tracker: a path, or a file of the package's config."),
}
OWN = {
    "video_source": ("", "Video file, image folder, sequence folder or scene:SEED to play."),
    "rate": ("0.0", "Frames a second of video_source; 0: its own."),
    "bag": ("", "Bag to play instead, with `ros2 bag play`."),
    "bag_rate": ("1.0", "Speed of the bag, times real time."),
    "truth": ("/truth", "Topic of the truth in the bag, vision_msgs/Detection2D."),
    "out": ("evaluation", "Folder of results and report."),
    "name": ("live", "Name of the run in the results."),
}


def generate_launch_description() -> LaunchDescription:
    """Describes the arguments and, once they are known, the processes."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in {**PASSED_ON, **OWN}.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=processes)])


def processes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Makes the processes out of the arguments' values."""
    value = {name: LaunchConfiguration(name).perform(context) for name in (*PASSED_ON, *OWN)}
    if bool(value["video_source"]) == bool(value["bag"]):
        raise RuntimeError("give either video_source:=... or bag:=..., to play to the tracker")
    tracker = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(TRACK)),
        launch_arguments=[*((name, value[name]) for name in PASSED_ON), ("video_source", "")],
    )
    player = bag_player(value) if value["bag"] else video_publisher(value)
    scorer = evaluator(value)
    started = False

    def play_when_ready(event: ProcessIO) -> LaunchDescriptionEntity | None:
        nonlocal started
        if started or READY not in event.text:
            return None
        started = True
        return player

    handler = OnProcessIO(target_action=scorer, on_stdout=play_when_ready)
    return [RegisterEventHandler(handler), scorer, tracker]


def evaluator(value: dict[str, str]) -> Node:
    """The node that sets the target, records and scores; the launch ends with it."""
    truth = value["truth"] if value["bag"] else "video_publisher/truth"
    return Node(
        package=PACKAGE,
        executable="evaluator",
        name="evaluator",
        parameters=[{"out": str(Path(value["out"]).expanduser()), "name": value["name"]}],
        remappings=[("truth", truth)],
        output="screen",
        on_exit=Shutdown(reason="the evaluation is over"),
    )


def video_publisher(value: dict[str, str]) -> Node:
    """A source with known truth, played by the package itself."""
    parameters: dict[str, Any] = {
        "source": value["video_source"],
        "rate": float(value["rate"]),
        "compressed": value["image_transport"] == "compressed",
        # The tracker's two and the evaluator's.
        "wait_for_subscribers": 3,
    }
    return Node(
        package=PACKAGE,
        executable="video_publisher",
        name="video_publisher",
        parameters=[parameters],
        remappings=[("image", value["image"])],
        output="screen",
    )


def bag_player(value: dict[str, str]) -> ExecuteProcess:
    """A bag, played as recorded."""
    # Discovery of the player's topics takes a moment, in which the first frames would be lost.
    command = ["ros2", "bag", "play", value["bag"], "--rate", value["bag_rate"], "--delay", "3"]
    return ExecuteProcess(cmd=command, output="screen")
