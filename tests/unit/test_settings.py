"""Settings: where they come from, and what is made from the home folder."""

import re
import shlex
import shutil
from importlib.util import module_from_spec, spec_from_file_location
from itertools import takewhile
from pathlib import Path

import pytest

from commands.rows import APART
from db.engine import is_current, upgrade
from settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SATISFACE_{name.upper()}")


@pytest.mark.embedded
@pytest.mark.parametrize("name", ["of 100%", "50%20", "what?", "a#b", "Bäckerei & Söhne"])
def test_the_database_lies_in_the_home_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    made = Settings(home=tmp_path / name, database_url="", footage_url="")
    upgrade(made.resolved_database_url)
    assert (tmp_path / name / "satisface.db").is_file()
    assert is_current(made.resolved_database_url)


@pytest.mark.embedded
@pytest.mark.usefixtures("no_variables")
def test_a_program_started_elsewhere_has_the_settings_and_folders_beside_app_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, elsewhere = tmp_path / "100% app", tmp_path / "elsewhere"
    app.mkdir()
    elsewhere.mkdir()
    (elsewhere / ".env").write_text("SATISFACE_MINIMUM_PEOPLE=99\n")
    monkeypatch.chdir(elsewhere)
    spec = spec_from_file_location("settings_elsewhere", shutil.copy(ROOT / "settings.py", app))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    made = module.Settings()
    assert made.minimum_people == 10
    assert made.home == app / "var"
    assert made.resolved_footage_url == str(app / "var" / "footage")
    assert made.resolved_reports_folder == app / "var" / "reports"

    lines = {
        "MINIMUM_PEOPLE": "3",
        "HOME": "data",
        "DATABASE_URL": "sqlite:///data/other.db?timeout=3",
        "FOOTAGE_URL": "footage",
        "REPORTS_FOLDER": "reports",
        "WATCH_FOLDER": "../in",
    }
    (app / ".env").write_text("".join(f"SATISFACE_{k}={v}\n" for k, v in lines.items()))
    made = module.Settings()
    assert made.minimum_people == 3
    assert made.home == app / "data"
    assert made.resolved_footage_url == str(app / "footage")
    assert made.resolved_reports_folder == app / "reports"
    assert Path(made.watch_folder).resolve() == tmp_path / "in"
    (app / "data").mkdir()
    upgrade(made.resolved_database_url)
    assert (app / "data" / "other.db").is_file()


@pytest.mark.embedded
@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://satisface:a%40b@server/satisface",
        "sqlite:////data/satisface.db?timeout=3",
        "sqlite:///C:/data/satisface.db",
        "sqlite://",
    ],
)
def test_a_whole_address_stays_as_it_is(address: str) -> None:
    assert Settings(database_url=address).resolved_database_url == address


@pytest.mark.parametrize("address", ["s3://bucket/footage", "/data/footage"])
def test_footage_lies_where_the_address_says(address: str) -> None:
    assert Settings(footage_url=address).resolved_footage_url == address


def test_no_test_knows_the_env_file_of_who_runs_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SATISFACE_DATABASE_URL=postgresql://server/real\nSATISFACE_SAMPLE_RATE=1\n")
    made = Settings(_env_file=file)
    assert (made.database_url, made.sample_rate) == ("", 5.0)


def make_demo() -> dict[str, dict[str, str]]:
    """The variables that ``make demo`` gives to ``cli.py`` and to ``streamlit``."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    recipe = makefile.partition("\ndemo:")[2].partition("\n\n")[0]
    (apart,) = re.findall(r"^APART = (.*)$", makefile, re.MULTILINE)
    assert apart.split() == APART.split()
    given = {}
    for program in ("cli.py", "streamlit"):
        (line,) = (line for line in recipe.splitlines() if program in line)
        words = takewhile(lambda word: "=" in word, shlex.split(line.replace("$(APART)", apart)))
        given[program] = dict(word.split("=", 1) for word in words)
    return given


@pytest.mark.embedded
@pytest.mark.usefixtures("no_variables")
def test_make_demo_opens_nothing_of_the_real_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [
        name for name, field in Settings.model_fields.items() if field.annotation in {str, Path}
    ]
    real = tmp_path / ".env"
    real.write_text("".join(f"SATISFACE_{name.upper()}=/real/{name}\n" for name in texts))
    given = make_demo()
    for name, value in given["cli.py"].items():
        monkeypatch.setenv(name, value)
    filled = Settings(_env_file=real).home / "demo"
    for name, value in given["streamlit"].items():
        monkeypatch.setenv(name, value)
    shown = Settings(_env_file=real)
    assert shown.home == filled == ROOT / "var" / "demo"
    assert shown.resolved_database_url == f"sqlite:///{filled / 'satisface.db'}"
    # What is left of the real one leads nowhere without the rest.
    left = {name for name in texts if str(getattr(shown, name)).startswith("/real/")}
    assert left == {"watch_pattern", "smtp_user", "smtp_password", "smtp_from"}
