"""The clones of a run as the compiler takes them: all that a mount of the notebook says is kept."""

from __future__ import annotations

import pytest

from kalelite.backends.kubeflow.compile.compile_settings import Clone
from kalelite.backends.kubeflow.submit.volume_source import clones_of
from kalelite.volumes.run_volumes import RunVolume


@pytest.mark.parametrize(("made", "claim"), [(True, "data-r1"), (False, "")])
def test_a_clone_is_mounted_by_the_folder_that_the_notebook_mounts(made, claim):
    planned = RunVolume(
        claim="data-r1",
        path="/data",
        size="1Gi",
        modes=("ReadWriteMany",),
        snapshot="s1",
        source="data",
        sub_path="a/b",
    )

    (clone,) = clones_of([planned], made=made)

    assert clone == Clone(
        "data", "/data", "1Gi", "s1", None, ("ReadWriteMany",), False, claim, "a/b"
    )
