"""Lesser machines, simulated around this process: what a grader has in a container, or as an ordinary user.

    python tests/attacks/world.py WORLD [NAME...]

Grades the attacks in that world and prints one line of JSON for each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOBODY = 65534
WORLDS = {
    "root": "root, with all that this machine offers",
    "user": "an ordinary user",
    "docker": "root in a container: Docker's default capabilities, no namespaces, no mounts",
    "no-landlock": "root on a kernel without Landlock",
}
# CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT,
# MKNOD, AUDIT_WRITE, SETFCAP
DOCKERS_CAPABILITIES = 0xA80425FB
_PR_CAPBSET_DROP, _LAST_CAPABILITY = 24, 40


def lines_of(world: str, names: list[str]) -> list[dict[str, object]]:
    """What came of the attacks ``names`` in ``world``, graded by another process."""
    with tempfile.TemporaryDirectory(prefix="world-") as folder:
        python = sys.executable
        who: dict[str, object] = {}
        if world in ("user", "docker") and os.geteuid() == 0:
            python = _python_for_all(Path(folder))
        if world == "user" and os.geteuid() == 0:
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        command = [python, str(HERE / "world.py"), world, *names]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd="/", **who)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _python_for_all(folder: Path) -> str:
    """This interpreter, or one of the same version and with the same packages that every user can start."""
    folder.chmod(0o755)
    with suppress(PermissionError):
        subprocess.run([sys.executable, "-c", ""], user=NOBODY, check=True, capture_output=True)
        return sys.executable
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    system = shutil.which(version, path="/usr/bin:/usr/local/bin")
    if system is None:
        raise RuntimeError(f"an ordinary user can start neither {sys.executable} nor a {version} of the system's")
    made = folder / "python"
    subprocess.run([system, "-m", "venv", "--without-pip", str(made)], check=True)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (made / "lib" / version / "site-packages" / "here.pth").write_text("\n".join([*packages, str(HERE.parents[1])]))
    subprocess.run(["chmod", "-R", "a+rX", str(made)], check=True)
    return str(made / "bin" / "python")


def enter(world: str) -> dict[str, object]:
    """Make this process, and all that it starts, live in ``world``; returns what players' policy leaves out."""
    if world == "docker":
        _enter_container()
    return {"without": ["landlock"]} if world == "no-landlock" else {}


def _enter_container() -> None:
    from grader.player import kernel, seccomp, syscalls

    filter_ = seccomp._Filter(seccomp._architecture())
    refused = ("unshare", "setns", "mount", "umount2", "pivot_root", "open_tree", "fsopen", "move_mount", "bpf")
    known = {name: numbers for table in (syscalls.KERNEL, syscalls.IDENTITY) for name, numbers in table.items()}
    filter_.deny({name: known[name] for name in refused})
    seccomp.install(filter_.finished())
    for capability in range(_LAST_CAPABILITY + 1):
        if not DOCKERS_CAPABILITIES >> capability & 1:
            kernel.prctl(_PR_CAPBSET_DROP, capability)
    kernel.keep_only_capabilities(DOCKERS_CAPABILITIES)


def main(world: str, names: list[str]) -> None:
    """Grades in this process's children, two at a time."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    policy = enter(world)
    sys.path.insert(0, str(HERE.parent))
    import torch
    from corpus import Arena

    from grader.judge.zygote import Zygote

    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="arena-"))
    try:
        with Zygote() as zygote:
            arena = Arena(HERE, folder, zygote.wait(), policy)
            for assignment in sorted({case.assignment for case in arena.cases.values()}):
                mine = [name for name in names or arena.cases if arena.cases[name].assignment == assignment]
                for name, finished in arena.grade(mine, at_once=2) if mine else ():
                    layers = finished.report.environment.confinement if finished.report else {}
                    seconds = finished.report.times.seconds if finished.report else 0.0
                    told = {"name": name, "problems": arena.problems(name, finished), "seconds": seconds}
                    print(json.dumps({**told, "layers": layers}), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
