"""The metadata that Kale keeps in a notebook: each setting is used, or said with what to do."""

from __future__ import annotations

import pytest

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")

CLONE = {"name": "workspace-1", "type": "clone", "mount_point": "/home", "annotations": []}
NEW = {"name": "data-1", "type": "new_pvc", "mount_point": "/data", "size": 5, "size_type": "Gi"}
PV = {**NEW, "name": "data-3", "type": "pv"}
CLAIM = {"name": "raw-data", "type": "pvc", "mount_point": "/raw"}
KEPT = {**CLAIM, "snapshot": True, "snapshot_name": "kept"}
ROK = [{"key": "rok/origin", "value": "http://rok"}]
KATIB = {
    "algorithm": {"algorithmName": "bayesianoptimization"},
    "maxTrialCount": 15,
    "parallelTrialCount": 3,
    "objective": {"objectiveMetricName": "accuracy", "type": "maximize"},
    "parameters": [
        {
            "name": "ETA",
            "parameterType": "double",
            "feasibleSpace": {"min": "0.1", "max": "0.3", "step": "0.1"},
        },
        {"name": "DEPTH", "parameterType": "int", "feasibleSpace": {"min": "2", "max": "6"}},
        {"name": "KIND", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}},
    ],
}


def test_what_has_an_option_here_is_used(shell, book):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    settings = {
        "pipeline_name": "fares",
        "pipeline_description": 'It\'s "fares"',
        "base_image": "registry/fares:1",
        "enable_caching": False,
        "security_context": {"enabled": True, "run_as_user": 1234, "run_as_group": 100},
        "marshal_volume": True,
        "marshal_path": "/marshalled",
        "steps_defaults": {
            "labels": {"team": "a"},
            "base_image": "",
            "limits": {"memory": "3Gi"},
            "retry_count": 7,
        },
        "volumes": [{**CLAIM, "expose_as_env_var": True}],
    }
    tags = "step:a secret:db:password:DB_PASSWORD image:other/image:2 cache:enabled report:enabled"
    book(("step:b", "y = 1"), (tags, "x = 1"), kubeflow_notebook=settings)

    done = shell("book.ipynb", "--kfp", "--compile", "fares.yaml", timeout=110)

    assert done.returncode == 0, done.stderr
    compiled = (shell.folder / "fares.yaml").read_text()
    expected = ["fares", "registry/fares:1", "other/image:2", "3Gi", "DB_PASSWORD"]
    expected += ["raw-data", "KALE_VOLUME_RAW_DATA", "/marshalled", "1234", "team", "7"]
    assert [part for part in expected if part not in compiled] == []
    assert "has no effect" not in done.stderr


def test_what_has_none_is_said_with_what_to_do(shell, book):
    settings = {
        "autosnapshot": True,
        "snapshot_volumes": True,
        "volumes": [CLONE, NEW, {**NEW, "name": "data-2", "annotations": ROK}, PV, KEPT],
        "katib_run": True,
        "katib_metadata": KATIB,
        "kfp_host": "http://kfp",
        "storage_class_name": "fast",
        "volume_access_mode": "rwo",
        "abs_working_dir": "/home",
        "timeout": 60,
        "output_path": "out",
        "pipelne_name": "x",
    }
    book(("step:a", "x = 1"), kubeflow_notebook=settings)

    done = shell("graph", "book.ipynb")

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "autosnapshot, snapshot_volumes, the volume workspace-1, the volume data-2 of the notebook's"
        " metadata: with --kfp the notebook's own volumes are snapshotted once and cloned, whatever"
        " it says.",
        "the volume data-1 (new_pvc) of the notebook's metadata is not made: make a claim and write"
        ' its name, with the type "pvc".',
        "the volume data-3 (pv) of the notebook's metadata is not made: make a claim of that"
        ' PersistentVolume and write its name, with the type "pvc".',
        "the volume raw-data is not snapshotted at the end: add snapshot('/raw', after=…) to the"
        " script of kalelite convert.",
        "katib_run of the notebook's metadata has no effect; its search is: kalelite sweep book.ipynb"
        " -p 'ETA=[0.1, 0.2, 0.3]' -p DEPTH=2..6 -p 'KIND=[a, b]' --objective accuracy --maximize"
        " --search tpe --trials 15 -j 3",
        "kfp_host of the notebook's metadata has no effect: the address is a setting of the command,"
        " KALELITE_KFP_HOST.",
        "storage_class_name of the notebook's metadata has no effect: KALELITE_STORAGE_CLASS is the"
        " class of the volume that is made for values.",
        "volume_access_mode of the notebook's metadata has no effect: KALELITE_ACCESS_MODE says who"
        " may mount the volume that is made for values.",
        "abs_working_dir of the notebook's metadata has no effect: the steps follow the working"
        " directory of the script.",
        'timeout of the notebook\'s metadata has no effect: a step has its own: "steps_defaults":'
        ' {"timeout": 3600}.',
        "output_path of the notebook's metadata has no effect: --compile FILE names the compiled"
        " file.",
        "pipelne_name of the notebook's metadata has no effect: Did you mean 'pipeline_name'?",
    ]


def test_a_search_that_is_a_grid_has_all_its_points(shell, book):
    grid = {**KATIB, "algorithm": {"algorithmName": "grid"}, "parallelTrialCount": 1}
    book(("step:a", "x = 1"), kubeflow_notebook={"katib_run": True, "katib_metadata": grid})

    assert "--objective accuracy --maximize\n" in shell("graph", "book.ipynb").stderr


def test_all_that_is_wrong_is_refused_at_once(shell, book):
    settings = {
        "volumes": [{"name": "x", "type": "pvc"}],
        "steps_defaults": ["limit:cpu"],
        "docker_image": "not an image",
    }
    book(("step:a", "x = 1"), kubeflow_notebook=settings)

    done = shell("graph", "book.ipynb")

    assert done.returncode == 4, done.stderr
    for says in [
        "a volume of the metadata has no name",
        "'limit:cpu' is not whole\n  Write limit:",
    ]:
        assert says in done.stderr
