"""Flag over environment over file over decorator over default."""

from __future__ import annotations

import pytest

from kalelite.errors import UsageError
from kalelite.settings import (
    SETTINGS,
    Source,
    environment,
    find_files,
    flags,
    misspelt_variables,
    resolve,
)

JOBS = SETTINGS["jobs"]
SOURCES = {
    "flags": flags({"jobs": "2"}),
    "environ": environment({"KALELITE_JOBS": "3"}),
    "file": Source("setup.cfg", {"jobs": "4"}),
    "decorator": Source("decorator", {"jobs": 5}, is_text=False),
}


@pytest.mark.parametrize(
    ("silent", "value", "origin"),
    [
        ([], 2, "--jobs"),
        (["flags"], 3, "KALELITE_JOBS"),
        (["flags", "environ"], 4, "setup.cfg"),
        (["flags", "environ", "file"], 5, "decorator"),
        (["flags", "environ", "file", "decorator"], None, "default"),
    ],
)
def test_the_order_of_those_who_decide(silent, value, origin):
    decided = resolve(JOBS, [source for name, source in SOURCES.items() if name not in silent])

    assert (decided.value, decided.origin) == (value, origin)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_a_value_of_the_wrong_kind_names_who_said_it(text):
    with pytest.raises(UsageError, match=r"jobs = .* \(--jobs\) is not a number from 1"):
        resolve(JOBS, [flags({"jobs": text}), SOURCES["environ"]])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[metadata]\nname = x\n\n[kalelite]\njobs = 3\nverify = off\n"),
        ("pyproject.toml", '[tool.kalelite]\njobs = 3\nverify = "off"\n'),
    ],
)
def test_the_nearest_file_upwards_is_read(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)

    (file,) = find_files(deep)

    assert file.origin == str(tmp_path / name)
    assert resolve(JOBS, [file]).value == 3
    assert resolve(SETTINGS["verify"], [file]).value == "off"
    assert file.places["jobs"].line == text.splitlines().index("jobs = 3") + 1


def test_both_files_of_a_folder_hold_and_setup_cfg_comes_first(tmp_path):
    (tmp_path / "setup.cfg").write_text("[kalelite]\njobs = 3\n", "utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.kalelite]\njobs = 4\nverify = "off"\n', "utf-8")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "setup.cfg").write_text("# no section [kalelite]\n", "utf-8")

    files = find_files(tmp_path / "inner")

    assert resolve(JOBS, files).value == 3
    assert resolve(SETTINGS["verify"], files).origin == str(tmp_path / "pyproject.toml")


def test_a_setting_that_does_not_exist_is_refused_at_its_line(tmp_path):
    (tmp_path / "setup.cfg").write_text("[kalelite]\njbos = 3\n", "utf-8")

    with pytest.raises(UsageError, match="no setting called 'jbos'") as error:
        find_files(tmp_path)

    assert error.value.hint == "Did you mean jobs?"
    assert error.value.where.line == 2


def test_a_file_that_cannot_be_parsed_is_named(tmp_path):
    (tmp_path / "setup.cfg").write_text("[kalelite]\njobs 3 4\n[[\n", "utf-8")

    with pytest.raises(UsageError, match=r"setup\.cfg cannot be read"):
        find_files(tmp_path)


def test_a_misspelt_variable_is_told():
    notes = misspelt_variables({"KALELITE_JOB": "3", "KALELITE_JOBS": "3", "HOME": "/"})

    assert notes == ["KALELITE_JOB is not a setting; did you mean KALELITE_JOBS?"]
