"""What a compiled pipeline says, and what stays out of it."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import replace

import pytest
import yaml

from kalelite.backends.kubeflow.compile.build import compile_plan
from kalelite.backends.kubeflow.compile.compile_settings import Clone, CodeMap
from kalelite.backends.kubeflow.compile.dry_run import dry_run
from kalelite.errors import UsageError
from kalelite.plan.graph import Plan

HELLO = '''
from kalelite import pipeline, step

@step
def hello(name: str = "you") -> int:
    return len(name)

@pipeline
def main(name: str = "world", rate: float = 0.5):
    """Say hello.

    Parameters
    ----------
    name
        Who.
    """
    hello(name)
'''


def spec_of(path):
    return next(yaml.safe_load_all(path.read_text()))


def test_the_same_code_gives_the_same_bytes(compiled, write_script):
    script = write_script(HELLO)
    first = compiled(script).read_bytes()
    assert compiled(script).read_bytes() == first


def test_code_that_changed_changes_the_digest(compiled, write_script):
    digests = set()
    for text in (HELLO, HELLO.replace("len(name)", "len(name) + 1")):
        executors = spec_of(compiled(write_script(text)))["deploymentSpec"]["executors"]
        digests.add(executors["exec-hello"]["container"]["command"][1])
    assert len(digests) == 2


def test_every_container_is_another_one_and_no_cache_is_on(compiled, write_script):
    """KFP tells components apart by their container, and would answer from its cache."""
    text = HELLO.replace("    hello(name)", "    hello(name)\n    hello(name)\n    hello('x')")
    spec = spec_of(compiled(write_script(text)))
    containers = [json.dumps(e["container"]) for e in spec["deploymentSpec"]["executors"].values()]
    assert len(set(containers)) == len(containers) == 5
    tasks = spec["root"]["dag"]["tasks"].values()
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in tasks)


def test_parameters_are_native_and_described(compiled, write_script):
    inputs = spec_of(compiled(write_script(HELLO)))["root"]["inputDefinitions"]["parameters"]
    assert inputs["name"]["parameterType"] == "STRING"
    assert inputs["name"]["defaultValue"] == "world"
    assert inputs["rate"]["parameterType"] == "NUMBER_DOUBLE"
    assert inputs["name"]["description"] == "Who."


def test_annotated_results_are_native_and_other_values_do_not_travel(compiled, write_script):
    component = spec_of(compiled(write_script(HELLO)))["components"]["comp-hello"]
    types = {k: v["parameterType"] for k, v in component["outputDefinitions"]["parameters"].items()}
    assert types == {"output": "NUMBER_INTEGER"}


def test_description_and_display_name(compiled, write_script):
    info = spec_of(compiled(write_script(HELLO)))["pipelineInfo"]
    assert info["description"].startswith("Say hello.")
    assert info["displayName"] == info["name"] == "main"


def test_image_is_the_stock_python_of_this_minor(compiled, write_script):
    import sys

    script = write_script(HELLO)
    image = f"python:{sys.version_info.major}.{sys.version_info.minor}"
    for said, expected in (({}, image), ({"image": "own/image:1"}, "own/image:1")):
        executors = spec_of(compiled(script, **said))["deploymentSpec"]["executors"]
        assert {e["container"]["image"] for e in executors.values()} == {expected}


def mounts_of(path):
    _, platform = yaml.safe_load_all(path.read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {name: config.get("pvcMount", []) for name, config in executors.items()}


def preparation_of(path):
    """What the prepare task of a compiled pipeline does, from the code that it carries."""
    (word,) = spec_of(path)["deploymentSpec"]["executors"]["exec-kalelite-code"]["container"][
        "args"
    ]
    data = base64.b64decode(word.rpartition(":")[2])
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return json.loads(bundle.read("prepare.json"))


def test_marshal_volume_for_the_run(compiled, write_script):
    path = compiled(
        write_script(HELLO),
        marshal_volume=True,
        marshal_volume_size="10Gi",
        marshal_path="/data/marshal",
        storage_class="fast",
    )
    (claim,) = preparation_of(path)["claims"]
    assert claim["size"] == "10Gi"
    assert claim["storage_class"] == "fast"
    (mount,) = mounts_of(path)["exec-hello"]
    assert mount["mountPath"] == "/data/marshal"
    assert mount["constant"] == "{{$.pipeline_job_resource_name}}"


def test_lasting_marshal_volume_is_mounted_and_not_made(compiled, write_script):
    path = compiled(write_script(HELLO), marshal_volume="my-claim")
    executors = spec_of(path)["deploymentSpec"]["executors"]
    assert set(executors) == {"exec-hello", "exec-kalelite-prepare", "exec-kalelite-code"}
    assert mounts_of(path)["exec-hello"][0]["constant"] == "my-claim"
    assert mounts_of(path)["exec-kalelite-prepare"][0]["constant"] == "my-claim"
    plan = preparation_of(path)
    assert plan["claims"] == []
    assert plan["home"] == "/marshal/.kalelite"
    assert not plan["root"], "somebody else's volume keeps its mode"


def clones(tmp_path):
    return (
        Clone("home", str(tmp_path / "jovyan"), "5Gi", "snap-1", "std", workspace=True),
        Clone("data", "/data", "100Gi", "snap-2", "std"),
    )


def test_clones_are_made_and_mounted_where_the_notebook_has_them(compiled, write_script, tmp_path):
    (tmp_path / "jovyan").mkdir()
    path = compiled(
        write_script(HELLO), clones=clones(tmp_path), run_as_user=1000, run_as_group=100
    )
    tasks = spec_of(path)["root"]["dag"]["tasks"]
    assert set(tasks) == {"kalelite-prepare", "condition-1", "hello"}
    home, data = mounts_of(path)["exec-hello"]
    assert home["mountPath"] == str(tmp_path / "jovyan")
    assert data["mountPath"] == "/data"
    produced = data["taskOutputParameter"]
    assert produced == {"producerTask": "kalelite-prepare", "outputParameterKey": "claim_2"}
    _, platform = yaml.safe_load_all(path.read_text())
    config = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-hello"]
    assert config["securityContext"] == {"runAsUser": "1000", "runAsGroup": "100"}
    (bundle,) = (tmp_path / "jovyan" / ".kalelite" / "code").iterdir()
    assert bundle.suffix == ".pyz", "the clone carries the code"


def test_steps_are_told_which_mark_a_clone_has_to_hold(compiled, write_script, tmp_path):
    (tmp_path / "jovyan").mkdir()
    home, data = clones(tmp_path)
    path = compiled(write_script(HELLO), clones=(replace(home, mark="r1"), data))

    container = spec_of(path)["deploymentSpec"]["executors"]["exec-hello"]["container"]
    assert [each for each in container["args"] if each.startswith("--mark")] == [
        f"--mark={tmp_path}/jovyan=r1"
    ]


@pytest.mark.parametrize(("volume", "flags"), [("values", ["--room=2097152"]), (True, [])])
def test_steps_are_told_how_much_has_to_be_free_on_a_claim_that_stays(
    compiled, write_script, volume, flags
):
    path = compiled(write_script(HELLO), marshal_volume=volume, marshal_volume_size="2Mi")

    container = spec_of(path)["deploymentSpec"]["executors"]["exec-hello"]["container"]
    assert [each for each in container["args"] if each.startswith("--room")] == flags


@pytest.mark.parametrize("made", ["", "a-clone"])
def test_a_clone_of_a_folder_of_a_volume_is_mounted_as_that(compiled, write_script, tmp_path, made):
    (tmp_path / "jovyan").mkdir()
    home, data = clones(tmp_path)
    given = (replace(home, sub_path="me"), replace(data, sub_path="a/b", made=made))

    mounts = mounts_of(compiled(write_script(HELLO), clones=given))["exec-hello"]

    assert {each["mountPath"]: each.get("subPath") for each in mounts} == {
        str(tmp_path / "jovyan"): "me",
        "/data": "a/b",
    }


def test_clones_beside_a_marshal_volume(compiled, write_script, tmp_path):
    path = compiled(write_script(HELLO), clones=clones(tmp_path), marshal_volume=True)
    tasks = spec_of(path)["root"]["dag"]["tasks"]
    assert set(tasks) == {"kalelite-prepare", "condition-1", "hello"}
    assert [claim["suffix"] for claim in preparation_of(path)["claims"]] == ["-1", "-2", ""]
    assert len(mounts_of(path)["exec-hello"]) == 3


def test_clones_reach_into_blocks_and_nested_pipelines(compiled, write_script, tmp_path):
    script = write_script(
        "from kalelite import If, ParallelFor, pipeline, step\n"
        "@step\ndef work(x): ...\n"
        "@pipeline\ndef inner(x):\n    work(x)\n"
        "@pipeline\ndef main(n: int = 1):\n"
        "    with If(n == 1):\n        with ParallelFor([1, 2]) as x:\n            work(x)\n"
        "    inner(n)\n"
    )
    (tmp_path / "jovyan").mkdir()
    mounts = mounts_of(compiled(script, clones=clones(tmp_path)))
    assert len(mounts["exec-work"]) == len(mounts["exec-work-2"]) == 2


def test_dry_run_tells_what_would_be_and_touches_nothing(write_script, tmp_path):
    from kubeflow_scripts import pipeline_in

    plan = pipeline_in(write_script(HELLO))[1].plan()
    before = sorted(tmp_path.rglob("*"))
    sections = dry_run(
        plan, clones=clones(tmp_path), marshal_volume=True, marshal_volume_size="7Gi"
    )
    text = "\n".join("  ".join(row) for section in sections for row in section.rows)
    assert sorted(tmp_path.rglob("*")) == before
    for part in ("hello", "7Gi", "clone of data", "snap-2", "prepare", "of 1.0 MB", "/data"):
        assert part in text, text


def test_nothing_is_written_when_something_is_wrong(write_script, tmp_path):
    from kubeflow_scripts import pipeline_in

    plan = pipeline_in(write_script(HELLO))[1].plan()
    for path, said in (
        (tmp_path / "out.json", {}),
        (tmp_path / "none" / "out.yaml", {}),
        (tmp_path / "out.yaml", {"imagee": "x"}),
        (tmp_path / "out.yaml", {"image": "two words"}),
        (tmp_path / "out.yaml", {"marshal_volume_size": "10GB"}),
        (tmp_path / "out.yaml", {"marshal_path": "relative"}),
        (tmp_path / "out.yaml", {"marshal_volume": "Bad_Name"}),
        (tmp_path / "out.yaml", {"access_mode": "sometimes"}),
    ):
        with pytest.raises(UsageError):
            compile_plan(plan, path, **said)
        assert not path.exists()


def test_a_setting_that_is_almost_right_gets_a_suggestion():
    with pytest.raises(UsageError, match="marshal_volume_size"):
        compile_plan(Plan("p"), "out.yaml", marshal_volum_size="1Gi")


def test_what_steps_do_is_said_in_the_file(compiled, write_script):
    """The first paragraph, at the head of the file and with the step's output."""
    path = compiled(
        write_script(
            "from kalelite import pipeline, step\n"
            "@step\n"
            "def load() -> int:\n"
            "    '''Read {{it}}: “all” of\n    it.\n\n    More.\n    '''\n    return 1\n"
            "@pipeline\n"
            "def main():\n"
            "    '''Do little.'''\n"
            "    number = load()\n"
        )
    )
    text = path.read_text("utf-8")

    assert text.startswith("# main: Do little.\n#   load: Read {\u2060{it}}: “all” of it.\n")
    spec = next(yaml.safe_load_all(text))
    (output,) = spec["components"]["comp-load"]["outputDefinitions"]["parameters"].values()
    assert output["description"] == "Read {\u2060{it}}: “all” of it."


def test_claims_and_code_that_are_made_already_need_no_task(compiled, write_script, tmp_path):
    """Who may make claims makes them before the run: they are mounted by their names."""
    home, data = clones(tmp_path)
    path = compiled(
        write_script(HELLO),
        clones=(replace(home, made="home-clone"), replace(data, made="data-clone")),
        marshal_volume="marshal-of-the-run",
        code_map=CodeMap("kalelite-run", "code.pyz"),
        run="20261128-120000-000abcd",
    )
    spec = spec_of(path)
    assert set(spec["root"]["dag"]["tasks"]) == {"hello"}
    claims = [mount["constant"] for mount in mounts_of(path)["exec-hello"]]
    assert claims == ["home-clone", "data-clone", "marshal-of-the-run"]
    container = spec["deploymentSpec"]["executors"]["exec-hello"]["container"]
    assert container["command"] == ["python3", "/kalelite/code.pyz"]
    (files,) = config_of(path, "exec-hello")["configMapAsVolume"]
    assert files["mountPath"] == "/kalelite"
    assert files["configMapName"] == "kalelite-run"
    inputs = spec["root"]["dag"]["tasks"]["hello"]["inputs"]["parameters"]
    assert inputs["run"]["runtimeValue"]["constant"] == "20261128-120000-000abcd"
    assert not (tmp_path / "jovyan").exists(), "no code is written into the workspace"


def test_a_workspace_clone_that_is_made_already_carries_the_code(compiled, write_script, tmp_path):
    (tmp_path / "jovyan").mkdir()
    home, _ = clones(tmp_path)
    path = compiled(write_script(HELLO), clones=(replace(home, made="home-clone"),))
    assert set(spec_of(path)["root"]["dag"]["tasks"]) == {"hello"}
    (bundle,) = (tmp_path / "jovyan" / ".kalelite" / "code").iterdir()
    assert str(bundle) in str(spec_of(path)["deploymentSpec"])


def config_of(path, executor):
    _, platform = yaml.safe_load_all(path.read_text())
    return platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][executor]


LOGGING = """
import kalelite
from kalelite import log_artifact as keep, pipeline, step

def note(text):
    keep(text, "note")

@step
def plain(n: int) -> int:
    return n

@step
def fit(page: int):
    kalelite.log_metric("loss", page)
    note("fine")

@pipeline
def main():
    fit(plain(3))
"""


def test_steps_that_log_give_artifacts_that_kfp_shows(compiled, write_script):
    components = spec_of(compiled(write_script(LOGGING)))["components"]
    found = {
        name: {
            artifact: each["artifactType"]["schemaTitle"]
            for artifact, each in component["outputDefinitions"].get("artifacts", {}).items()
        }
        for name, component in components.items()
        if name in ("comp-plain", "comp-fit")
    }
    assert found == {
        "comp-plain": {},
        "comp-fit": {"metrics": "system.Metrics", "page": "system.HTML"},
    }
