"""What goes from a task to KFP and to containers, and is refused where KFP would change it."""

from __future__ import annotations

import json

import pytest

from kalelite.backends.kubeflow.pod.outputs import write_outputs
from kalelite.errors import StepError
from kalelite.executor.spec import Record


def written(folder, value, kind, form="native", **more):
    port = {"output": "o", "form": form, "name": "p", "type": kind, "reader": "", **more}
    record = Record(task="t", status="succeeded", outputs={"o": {"ref": "r", "native": value}})
    write_outputs([port], record, {"p": {"outputFile": str(folder / "p")}}, lambda _: value)
    return (folder / "p").read_text("utf-8")


@pytest.mark.parametrize(
    ("value", "kind"), [(2**53 + 1, "int"), ([1, [2**60]], "list"), ({"a": 2**60}, "dict")]
)
def test_a_number_that_kfp_would_round_where_it_reads_it(tmp_path, value, kind):
    with pytest.raises(StepError, match="53 bits"):
        written(tmp_path, value, kind, reader="kfp")
    assert json.loads(written(tmp_path, value, kind)) == value


def test_two_dollars_on_their_way_into_a_command(tmp_path):
    with pytest.raises(StepError, match=r"holds '\$\$'") as raised:
        written(tmp_path, "pa$$word", "str", reader="container")
    assert "InputPath" in raised.value.hint
    assert written(tmp_path, "pa$$word", "str", reader="kfp") == "pa$$word"


def test_items_hold_no_dollar_as_it_is(tmp_path):
    text = written(tmp_path, ["a$$", {"$(X)": 1}], "texts", form="items", reader="kfp")
    assert "$" not in text
    items = [json.loads(item)["value"] for item in json.loads(text)]
    assert items == ["a$$", {"$(X)": 1}]
