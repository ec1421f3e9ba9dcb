"""Dockerfile and compose.yaml hold what they promise, as far as that shows without Docker."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import psutil
import pytest
import yaml

from settings import Settings
from tests.made_jobs import ROOT, until

BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: s for name, s in COMPOSE["services"].items() if s["image"] == "satisface"}


def instruction(name: str) -> str:
    """The last of its kind, its lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return str(re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)[-1])


def exec_form(text: str) -> list[str]:
    return list(ast.literal_eval(text[text.index("[") :]))


def test_the_dockerfile_passes_its_linter() -> None:
    subprocess.run([BIN / "hadolint", "Dockerfile"], cwd=ROOT, check=True)


def test_compose_is_what_its_schema_wants() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    subprocess.run([BIN / "check-jsonschema", *schema, "compose.yaml"], cwd=ROOT, check=True)


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"SATISFACE_(\w+)", DOCKERFILE + (ROOT / "compose.yaml").read_text()))
    assert len(named) > 4
    assert named <= {field.upper() for field in Settings.model_fields}


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [
        port for service in COMPOSE["services"].values() for port in service.get("ports", [])
    ]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_uploads_are_taken_through_the_published_port() -> None:
    """Behind it a container sees the bridge's address, never this machine's."""
    run = next(line for line in DOCKERFILE.splitlines() if "docker run" in line)
    assert "-p 127.0.0.1:" in run
    assert "-e SATISFACE_PROXY_SIGNS_IN=true " in run
    assert OURS["app"]["environment"]["SATISFACE_PROXY_SIGNS_IN"] == "true"


def test_the_worker_has_the_home_folder_of_the_dashboard() -> None:
    """In which it clears half uploads away, and leaves reports."""
    assert OURS["app"]["volumes"]
    assert OURS["worker"]["volumes"] == OURS["app"]["volumes"]


@pytest.mark.parametrize("service", [name for name in OURS if "command" in OURS[name]])
def test_the_commands_of_the_services_are_understood(service: str) -> None:
    """Asked for help, each goes through its arguments first."""
    words = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", word) for word in OURS[service]["command"]]
    program = BIN / words[0]
    assert program.exists()
    ended = subprocess.run(
        [program, *words[1:], "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "Usage" in ended.stdout
    for option in (word for word in words if word.startswith("--")):
        assert option in ended.stdout or option.replace("--no-", "--") in ended.stdout


def test_the_image_is_not_run_by_root() -> None:
    user = instruction("USER")
    assert f"--uid {user} " in instruction("RUN")
    assert int(user) > 0


def in_the_image() -> Iterator[Path]:
    """Files of ours that .dockerignore lets in."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    kept_out = [line.removeprefix("**/") for line in lines if line[:1] not in {"!", "#", ""}]
    kept_out.remove("*")
    for pattern in let_in:
        found = [ROOT / pattern] if "*" not in pattern else ROOT.glob(f"{pattern}/*")
        for path in found:
            relative = path.relative_to(ROOT)
            out = any(fnmatch(str(relative), name) or name in relative.parts for name in kept_out)
            if path.is_file() and not out:
                yield relative


def test_the_image_runs_and_its_health_check_sees_it(tmp_path: Path) -> None:
    """Its files alone, by its command, where tensorflow cannot be imported."""
    app = tmp_path / "app"
    for relative in in_the_image():
        (app / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / relative, app / relative)
    barred = tmp_path / "barred"
    for name in ("tensorflow", "keras"):
        (barred / name).mkdir(parents=True)
        (barred / name / "__init__.py").write_text(f"raise ImportError('{name} is not here')")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [word.replace("8501", port) for word in exec_form(instruction("CMD"))]
    check = [
        word.replace("8501", port)
        for word in exec_form(instruction("HEALTHCHECK").partition(" CMD ")[2])
    ]
    environment = os.environ | {
        "PYTHONPATH": f"{barred}:{app}",
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "SATISFACE_HOME": str(tmp_path / "home"),
    }
    with (tmp_path / "log").open("wb") as log:
        server = psutil.Popen(
            [BIN / command[0], *command[1:], "--server.headless", "true"],
            cwd=app,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:

        def is_healthy() -> bool:
            assert server.poll() is None, (tmp_path / "log").read_text()
            return not subprocess.run(
                [BIN / check[0], *check[1:]], cwd=app, env=environment, capture_output=True
            ).returncode

        until(is_healthy)
    finally:
        server.terminate()
        server.wait()
