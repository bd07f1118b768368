"""What `kalelite doctor` finds out about a namespace; nothing is changed."""

from __future__ import annotations

from dataclasses import replace

from kalelite.errors import ClusterError, Problem, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.discover import notebook
from kalelite.volumes.preflight import preflight
from kalelite.volumes.resources import Json
from kalelite.volumes.rights import Answered, ask, roles, user_of
from kalelite.volumes.storage_facts import Facts, gather
from kalelite.volumes.wishes import Wishes


@frozen
class Examination:
    """What was found.

    ``uses`` says which rights are there, ``roles`` would give those that are not; ``problems``
    stand in the way of snapshots, of the notebook that was named or this is.
    """

    namespace: str
    server: str
    user: str
    uses: tuple[Answered, ...]
    roles: list[Json]
    facts: Facts
    problems: tuple[Problem, ...]

    @property
    def well(self) -> bool:
        """Whether nothing stands in the way of anything that needs the cluster."""
        return not self.problems and not any(each.missing for each in self.uses if each.use.needed)


def examine(cluster: Cluster, pod: str | None = None) -> Examination:
    """Ask for all of it; ``pod`` is a notebook."""
    uses, user, facts = ask(cluster), user_of(cluster), gather(cluster)
    return Examination(
        cluster.namespace,
        cluster.host,
        user,
        uses,
        roles(uses, cluster.namespace, user),
        facts,
        _problems(cluster, facts, pod),
    )


def _problems(cluster: Cluster, facts: Facts, pod: str | None) -> tuple[Problem, ...]:
    if not facts.has_snapshots:
        hint = "Its administrator has to install the snapshot controller and its definitions."
        return (Problem("the cluster does not know VolumeSnapshots", hint),)
    try:
        book = notebook(cluster, pod)
    except (UsageError, ClusterError) as error:
        # Outside of a notebook there is none to look at.
        return problems_of(error) if pod else ()
    # The rights that are missing are told by what they are used for.
    return preflight(book, replace(facts, missing={}), Wishes()).problems


def problems_of(error: UsageError | ClusterError) -> tuple[Problem, ...]:
    """All that an error tells of."""
    return error.problems or (Problem(error.message, error.hint),)
