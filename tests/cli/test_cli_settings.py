"""Flag over environment over file over decorator over default."""

from __future__ import annotations

import sys

import pytest

from kalelite.cli.settings import (
    SETTINGS,
    ConfigFile,
    find_config,
    resolve,
    unknown_variables,
)
from kalelite.errors import UsageError

JOBS = next(setting for setting in SETTINGS if setting.name == "jobs")
FILE = ConfigFile("setup.cfg", {"jobs": "4"})
SAID = {
    "flags": {"jobs": "2"},
    "environ": {"KALELITE_JOBS": "3"},
    "config": FILE,
    "decorator": {"jobs": 5},
}
NOBODY = {"flags": {}, "environ": {}, "config": ConfigFile(), "decorator": None}


@pytest.mark.parametrize(
    ("silent", "value", "origin"),
    [
        ([], 2, "--jobs"),
        (["flags"], 3, "KALELITE_JOBS"),
        (["flags", "environ"], 4, "setup.cfg"),
        (["flags", "environ", "config"], 5, "decorator"),
        (["flags", "environ", "config", "decorator"], None, "default"),
    ],
)
def test_the_order_of_those_who_decide(silent, value, origin):
    sources = {**SAID, **{name: NOBODY[name] for name in silent}}

    decided = resolve(JOBS, **sources)

    assert (decided.value, decided.origin) == (value, origin)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_a_value_of_the_wrong_kind_names_who_said_it(text):
    with pytest.raises(UsageError, match=r"jobs = .* \(--jobs\) is not a number from 1"):
        resolve(JOBS, **{**SAID, "flags": {"jobs": text}})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[metadata]\nname = x\n\n[kalelite]\njobs = 3\nverify = off\n"),
        pytest.param(
            "pyproject.toml",
            '[tool.kalelite]\njobs = 3\nverify = "off"\n',
            marks=pytest.mark.skipif(
                sys.version_info < (3, 11), reason="Python 3.10 has no tomllib"
            ),
        ),
    ],
)
def test_the_nearest_file_upwards_is_read(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)

    config = find_config(deep)
    verify = next(setting for setting in SETTINGS if setting.name == "verify")

    assert config.path == str(tmp_path / name)
    assert resolve(JOBS, **{**NOBODY, "config": config}).value == 3
    assert resolve(verify, **{**NOBODY, "config": config}).value == "off"
    assert config.places["jobs"].line == text.splitlines().index("jobs = 3") + 1


def test_a_setting_that_does_not_exist_is_refused_at_its_line(tmp_path):
    (tmp_path / "setup.cfg").write_text("[kalelite]\njbos = 3\n", "utf-8")

    with pytest.raises(UsageError, match="no setting called 'jbos'") as error:
        find_config(tmp_path)

    assert error.value.hint == "Did you mean jobs?"
    assert error.value.where.line == 2


def test_a_file_that_cannot_be_parsed_is_named(tmp_path):
    (tmp_path / "setup.cfg").write_text("[kalelite]\njobs 3 4\n[[\n", "utf-8")

    with pytest.raises(UsageError, match=r"setup\.cfg cannot be read"):
        find_config(tmp_path)


def test_a_misspelt_variable_is_told():
    notes = unknown_variables({"KALELITE_JOB": "3", "KALELITE_JOBS": "3", "HOME": "/"})

    assert notes == ["KALELITE_JOB is not a setting; did you mean KALELITE_JOBS?"]
