"""``kalelite doctor``: what may be done in a namespace of the cluster, and what stands in the way."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kalelite.cli.parser import add_setting
from kalelite.errors import ClusterError, ExitCode, Problem

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.display.screen import Line
    from kalelite.volumes.examination import Examination
    from kalelite.volumes.rights import Answered
    from kalelite.volumes.storage_facts import Facts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and what is printed."""
    parser.add_argument("--namespace", metavar="NAME", help="the namespace (default: the own one)")
    parser.add_argument("--pod", metavar="NAME", help="look at the volumes of this notebook, too")
    parser.add_argument(
        "--role",
        action="store_true",
        help="print nothing but the roles that are missing, for kubectl apply -f",
    )
    for name in ("output", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Ask, print, and say by the exit code whether all is well; nothing is changed."""
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.examination import examine, problems_of

    options, settings = command.options, command.settings
    namespace = options.namespace or settings["kfp_namespace"].value
    cluster = Cluster.open(namespace=namespace, context=settings["kfp_context"].value)
    found = examine(cluster, options.pod)
    if options.role:
        command.out.write(_yaml(found.roles))
        return ExitCode.OK if found.well else ExitCode.CLUSTER
    kfp = _kfp(command)
    problems = found.problems + (problems_of(kfp) if isinstance(kfp, ClusterError) else ())
    well = found.well and not problems
    if command.as_json:
        fields = {name: getattr(found, name) for name in ("namespace", "server", "user", "facts")}
        uses = [_use(each) for each in found.uses]
        told = [each.message for each in problems]
        rest = {"well": well, "uses": uses, "kfp": str(kfp or ""), "problems": told}
        command.write_json({**fields, **rest, "roles": found.roles})
    else:
        _print(command, found, problems, kfp if isinstance(kfp, str) else "")
    return ExitCode.OK if well else ExitCode.CLUSTER


def _print(command: Command, found: Examination, problems: Sequence[Problem], kfp: str) -> None:
    out = command.out
    out.line(f"namespace {found.namespace} at {found.server}, as {found.user}", fit="keep")
    out.line()
    out.table([_row(each) for each in found.uses])
    _print_storage(command, found.facts)
    if kfp:
        out.line(("✓ ", "green"), f"Kubeflow Pipelines {kfp}")
    for each in problems:
        out.line(("✗ ", "bold red"), each.message)
        if each.hint:
            out.line(("  " + each.hint, "dim"))
    if found.roles:
        out.line()
        out.line("What is missing, for an administrator (kalelite doctor --role > roles.yaml):")
        out.line()
        out.write(_yaml(found.roles))


def _use(answered: Answered) -> dict[str, Any]:
    missing = [f"{verb} {resource.full_name}" for resource, verb in answered.missing]
    return {"use": answered.use.deed, "needed": answered.use.needed, "missing": missing}


def _row(answered: Answered) -> Line:
    kinds = dict.fromkeys(resource for resource, _ in answered.missing)
    lacks = "; ".join(
        f"{', '.join(verb for resource, verb in answered.missing if resource == kind)}"
        f" {kind.full_name}"
        for kind in kinds
    )
    marks = {True: ("✗", "bold red"), False: ("·", "yellow")}
    mark = marks[answered.use.needed] if lacks else ("✓", "green")
    return mark, answered.use.deed, f"may not {lacks}" if lacks else ""


def _print_storage(command: Command, facts: Facts) -> None:
    from kalelite.humanize import count
    from kalelite.volumes.snapshot_classes import choose_class

    out = command.out
    out.line()
    if facts.storage_classes is None:
        out.line("storage classes may not be read")
    else:
        rows = []
        for each in facts.storage_classes.values():
            choice = choose_class(each.driver, facts, None) if facts.has_snapshots else None
            marks = {"default": each.default, "bound by its first pod": each.late}
            marks |= {"keeps what is deleted": each.retain}
            chosen = choice.message if isinstance(choice, Problem) else choice or "not known"
            rows.append(
                (each.name, each.driver, chosen, ", ".join(key for key in marks if marks[key]))
            )
        out.table(rows, ("storage class", "driver", "snapshot class", ""))
    if facts.nodes is not None:
        out.line(f"{count(facts.nodes, 'node')} for pods")
    for quota in facts.quotas:
        status = quota.get("status") or {}
        used = status.get("used") or {}
        shares = [
            f"{name} {used.get(name, '0')} of {hard}" for name, hard in status["hard"].items()
        ]
        out.line(f"quota {quota['metadata']['name']}: {', '.join(shares)}")


def _kfp(command: Command) -> str | ClusterError | None:
    """What Kubeflow Pipelines answers, if it is configured."""
    names = ("kfp_host", "kfp_context")
    configured = any(command.settings[name].value for name in names)
    if not configured and "KF_PIPELINES_ENDPOINT" not in os.environ:
        return None
    try:
        return command.open_backend("kubeflow").greet()
    except ClusterError as error:
        return error


def _yaml(manifests: Sequence[dict[str, Any]]) -> str:
    import yaml

    texts = (yaml.safe_dump(each, sort_keys=False, default_flow_style=None) for each in manifests)
    return "---\n".join(texts)
