# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts the tracker, and with it, where asked for, a video source and a view of the debug image.

    ros2 launch mixformer2_ros track.launch.py image:=/camera/image_raw
    ros2 launch mixformer2_ros track.launch.py params_file:=jetson.yaml
    ros2 launch mixformer2_ros track.launch.py video_source:=scene debug_view:=true

An argument that is left empty leaves its parameter to the parameter file, or to the node.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

PACKAGE = "mixformer2_ros"
LOG_LEVELS = ["debug", "info", "warn", "error", "fatal"]
VIEWER = "rqt_image_view"

ARGUMENTS = [
    DeclareLaunchArgument(
        "image",
        default_value="image",
        description="Topic of the camera image, without /compressed.",
    ),
    DeclareLaunchArgument(
        "camera_info",
        default_value="",
        description="Topic of the camera's calibration. Empty: camera_info beside the image topic.",
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        choices=["", "raw", "compressed"],
        description="How the image arrives: sensor_msgs/Image, or CompressedImage on "
        "<image>/compressed. Empty: as the parameter file says, else raw.",
    ),
    DeclareLaunchArgument(
        "model",
        default_value="",
        choices=["", "small", "base"],
        description="The network: small (fast) or base (more accurate). Empty: as the parameter "
        "file says, else small.",
    ),
    DeclareLaunchArgument(
        "checkpoint",
        default_value="",
        description="File with the network's weights. Empty: as the parameter file says, else the "
        "weights that come with the package.",
    ),
    DeclareLaunchArgument(
        "device",
        default_value="",
        description="Where the network runs: cpu, cuda, cuda:1, auto. Empty: as the parameter file "
        "says, else auto.",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value="",
        description="YAML file with parameters: a path, or the name of a file in this package's "
        "config folder (cpu.yaml, jetson.yaml).",
    ),
    DeclareLaunchArgument(
        "namespace",
        default_value="",
        description="Namespace of the nodes; one for each camera.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=LOG_LEVELS,
        description="Least severe log messages that are shown.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        choices=["true", "false"],
        description="Whether time comes from /clock (simulation, ros2 bag play --clock).",
    ),
    DeclareLaunchArgument(
        "video_source",
        default_value="",
        description="Starts a publisher of images as well: a video file, a folder of images, "
        "webcam:0, or scene (a made-up scene with known truth).",
    ),
    DeclareLaunchArgument(
        "debug_view",
        default_value="false",
        choices=["true", "false"],
        description=f"Shows the annotated image, where {VIEWER} is installed.",
    ),
]


def generate_launch_description() -> LaunchDescription:
    """Describes the arguments and, once they are known, the nodes."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=nodes)])


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Makes the nodes out of the arguments' values."""
    value = {
        argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS
    }
    actions: list[LaunchDescriptionEntity] = [tracker(value)]
    if value["video_source"]:
        actions.append(video_publisher(value))
    if value["debug_view"] == "true":
        actions.append(viewer(value))
    return actions


def tracker(value: dict[str, str]) -> Node:
    """The tracking node, which configures and activates itself."""
    names = ("model", "checkpoint", "device", "image_transport")
    given: dict[str, Any] = {name: text(value[name]) for name in names if value[name]}
    given["use_sim_time"] = value["use_sim_time"] == "true"
    files = [parameter_file(value["params_file"])] if value["params_file"] else []
    return Node(
        package=PACKAGE,
        executable="tracker_node",
        name="tracker",
        namespace=value["namespace"],
        parameters=[*files, given],
        **common(value),
    )


def video_publisher(value: dict[str, str]) -> Node:
    """A source of images in place of a camera."""
    return Node(
        package=PACKAGE,
        executable="video_publisher",
        name="video_publisher",
        namespace=value["namespace"],
        parameters=[
            {
                "source": text(value["video_source"]),
                "compressed": value["image_transport"] == "compressed",
            }
        ],
        **common(value),
    )


def viewer(value: dict[str, str]) -> LaunchDescriptionEntity:
    """A window with the annotated image, or a hint where the viewer is not installed."""
    try:
        get_package_prefix(VIEWER)
    except PackageNotFoundError:
        return LogInfo(
            msg=f"debug_view: {VIEWER} is not installed (Debian, Ubuntu: sudo apt install "
            "ros-$ROS_DISTRO-rqt-image-view). The image is on ~/debug_image of the tracker."
        )
    return Node(
        package=VIEWER,
        executable=VIEWER,
        namespace=value["namespace"],
        arguments=["tracker/debug_image"],
    )


def text(value: str) -> ParameterValue:
    """A string parameter, also where the text looks like a number."""
    return ParameterValue(value, value_type=str)


def common(value: dict[str, str]) -> dict[str, Any]:
    """What the package's own nodes share: topics, output and log level."""
    image = value["image"]
    folder = image.rpartition("/")[0]
    beside = f"{folder}/camera_info" if "/" in image else "camera_info"
    return {
        "remappings": [("image", image), ("camera_info", value["camera_info"] or beside)],
        "output": "screen",
        "ros_arguments": ["--log-level", value["log_level"]],
    }


def parameter_file(name: str) -> str:
    """Finds a parameter file by its path or by its name in the config folder."""
    installed = Path(get_package_share_directory(PACKAGE)) / "config"
    for path in (Path(name).expanduser(), installed / name):
        if path.is_file():
            return str(path)
    known = ", ".join(sorted(file.name for file in installed.glob("*.yaml")))
    raise FileNotFoundError(
        f"params_file: there is no file {name}; give a path, or one of the package's own: {known}"
    )
