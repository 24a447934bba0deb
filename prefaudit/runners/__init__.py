"""Where units of work run: processes of this machine, or actors of a Ray cluster. What they do is not known here."""

from __future__ import annotations

from prefaudit.runners.base import Event, Runner, Task
from prefaudit.runners.local import Processes

__all__ = ["Event", "Processes", "Runner", "Task", "on_ray"]


def on_ray(spec: str, task: Task, workers: int | None, gpu: bool = False) -> Runner:
    """Workers of a Ray cluster.

    Args:
        spec: `ray`, or `ray:ADDRESS` of a cluster that runs (`ray:auto` finds one).
        task: what every worker makes once.
        workers: how many; None for one a core, or a GPU, of the cluster.
        gpu: whether each needs a GPU.

    Raises:
        UsageError: Ray is not installed.
        AuditError: no cluster answers at that address.
    """
    from prefaudit.runners.cluster import Actors

    return Actors(spec.partition(":")[2], task, workers, gpu)
