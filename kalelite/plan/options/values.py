"""The structured values of options: retries, secrets, volumes and the like, as plain data."""

from __future__ import annotations

from kalelite.frozen import frozen
from kalelite.plan.retries import Retries

__all__ = [
    "ConfigMapEnv",
    "ConfigMapFiles",
    "NotSecret",
    "Retries",
    "SecretEnv",
    "SecretFiles",
    "SecurityContext",
    "Toleration",
    "Volume",
]


@frozen
class SecretEnv:
    """An environment variable that takes its value from a key of a Kubernetes Secret."""

    variable: str
    secret: str
    key: str


@frozen
class SecretFiles:
    """A folder that holds a Kubernetes Secret, one file for each key."""

    path: str
    secret: str


@frozen
class ConfigMapEnv:
    """An environment variable that takes its value from a key of a ConfigMap."""

    variable: str
    config_map: str
    key: str


@frozen
class ConfigMapFiles:
    """A folder that holds a ConfigMap, one file for each key."""

    path: str
    config_map: str


@frozen
class Volume:
    """A claim that is mounted into the step; here, a folder of this machine.

    Attributes
    ----------
    claim
        The name of the PersistentVolumeClaim.
    path
        Where the step finds it.
    read_only
        The step may not write to it.
    sub_path
        The folder inside the volume that is mounted; empty is the whole volume.
    """

    claim: str
    path: str
    read_only: bool = False
    sub_path: str = ""


@frozen
class Toleration:
    """A node taint that the step's pod puts up with; as in Kubernetes.

    Attributes
    ----------
    key
        Of the taint; empty, with the operator ``"Exists"``, is every one.
    operator
        ``"Equal"`` or ``"Exists"``.
    value
        Of the taint, for ``"Equal"``.
    effect
        ``"NoSchedule"``, ``"PreferNoSchedule"`` or ``"NoExecute"``; empty is all of them.
    seconds
        How long a pod stays when the taint is put on its node; None is for ever.
    """

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    seconds: int | None = None


@frozen
class SecurityContext:
    """The user and group that the step runs as."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None


class NotSecret(str):
    """Text that may stand in the clear although its name looks like that of a secret.

    ``env={"SORT_KEY": NotSecret("name")}``
    """

    __slots__ = ()
