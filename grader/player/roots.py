"""The files outside a submission that its code may read: Python, installed packages, shared libraries, devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from glob import glob
from importlib.machinery import PathFinder

from .landlock import DEVICE, READ, WRITE, Grant, carve

_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
_SYSTEM = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
)
# What CUDA's user-space driver opens; not /proc/self, which would be the loader's and not the check's.
_GPU_FILES = (
    "/etc/nvidia",
    "/proc/devices",
    "/proc/driver/nvidia",
    "/proc/sys/vm",
    "/sys/bus/pci/devices",
    "/sys/devices",
    "/usr/local/cuda",
    "/usr/share/nvidia",
)


def python_folders() -> list[str]:
    """Folders of the running Python: libraries, standard library, installed packages. No other entry of ``sys.path``.

    An editable installation puts the folder of a whole project on ``sys.path``, secrets included.
    """
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = {os.path.join(prefix, name) for prefix in prefixes for name in ("lib", "lib64")}
    found.add(os.path.dirname(os.__file__))
    found.update(path for path in sys.path if os.path.basename(path) in _PACKAGE_FOLDERS)
    return _without_nested({os.path.realpath(path) for path in found if os.path.isdir(path)})


def _without_nested(folders: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for folder in sorted(folders):
        if not any(folder.startswith(outer.rstrip(os.sep) + os.sep) for outer in kept):
            kept.append(folder)
    return kept


def granted_paths(wanted: Iterable[str], hidden: Iterable[str]) -> list[str]:
    """``wanted`` without ``hidden``, each path once.

    Folders that had to be taken apart cannot be listed later, so Python's finders list those on ``sys.path`` now.
    """
    covers = list(hidden)
    carved = [carve(path, covers) for path in wanted]
    split = {folder for _, folders in carved for folder in folders}
    for entry in sys.path:
        if os.path.realpath(entry) in split:
            PathFinder.find_spec("a_module_that_nobody_has", [entry])
    return list(dict.fromkeys(path for paths, _ in carved for path in paths))


def system_grants(hidden: Iterable[str], *, gpu: bool) -> list[Grant]:
    """Grants that every player has beside Python's and its own files; absent ones do no harm."""
    libraries = [path for path in _LIBRARIES if os.path.isdir(path)]
    readable = granted_paths(_without_nested({os.path.realpath(path) for path in libraries}), hidden)
    grants = [Grant(path, READ) for path in (*readable, *_SYSTEM, *(_GPU_FILES if gpu else ()))]
    grants.append(Grant(os.devnull, WRITE))
    if gpu:
        grants += [Grant(path, DEVICE) for path in glob("/dev/nvidia*")]
    return grants
