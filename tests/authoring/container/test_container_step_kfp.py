"""Components that KFP's own SDK compiles. KFP reads annotations as they are, so no __future__."""

import pytest

from kalelite.authoring.container.container_step import load_component
from kalelite.plan.container_command import fill

pytest.importorskip("kfp", reason="pip install 'kalelite[kfp]' to try what KFP compiles")


def test_what_kfp_itself_compiles_is_understood(tmp_path):
    from kfp import compiler, dsl

    @dsl.container_component
    def say(text: str, said: dsl.OutputPath(str), times: int = 2):
        return dsl.ContainerSpec(
            image="busybox",
            command=["echo", dsl.ConcatPlaceholder(["--text=", text])],
            args=[times, said, dsl.IfPresentPlaceholder("times", ["--n", times], ["--one"])],
        )

    compiler.Compiler().compile(say, str(tmp_path / "say.yaml"))
    definition = load_component(tmp_path / "say.yaml").definition
    words = (*definition.command, *definition.args)
    shown = fill(words, lambda word: f"<{type(word).__name__}:{word.name}>", {"times"})
    assert shown == [
        "echo",
        "--text=<InputValue:text>",
        "<InputValue:times>",
        "<OutputPath:said>",
        "--n",
        "<InputValue:times>",
    ]
