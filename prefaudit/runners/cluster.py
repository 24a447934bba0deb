"""Actors of a Ray cluster. A node that is lost takes its actors with it; new ones start where there is room."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from typing import Any

import pyarrow as pa

from prefaudit.core import AuditError, UsageError
from prefaudit.runners.base import Event, Task
from prefaudit.runners.child import answer

WAIT = 15.0  # seconds for a cluster's port to answer; Ray itself goes on for minutes


def _reach(address: str) -> None:
    """Raise AuditError where an address of the form HOST:PORT does not answer."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), WAIT).close()
        except (OSError, OverflowError) as error:
            raise AuditError(f"no Ray cluster at {address}: {error}", "start one: ray start --head") from error


class Host:
    """What an actor is: the task's object, made at the first call."""

    def __init__(self, task: Task) -> None:
        self._task, self._made = task, None

    def call(self, method: str, *arguments: Any) -> tuple[Any, Exception | None]:
        """The value of a call, or its error."""
        if self._made is None:
            self._made, error = answer(self._task, "make", ())
            if error is not None:
                return None, error
        return answer(self._made, method, arguments)


class Actors:
    """Workers that are Ray actors, one a core or a GPU, spread over the nodes.

    Args:
        address: of a cluster, `auto` for the one this machine belongs to, "" for one of this machine alone.
        task: what every worker makes once.
        workers: how many; None for all cores or GPUs of the cluster.
        gpu: whether each needs a GPU.

    Raises:
        UsageError: Ray is not installed.
        AuditError: no cluster answers at the address, or it has no GPU.
    """

    def __init__(self, address: str, task: Task, workers: int | None, gpu: bool = False) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("--runner ray needs the package ray", "pip install 'prefaudit[ray]'") from error
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
        self._ray, self._task, self._ours = ray, task, not ray.is_initialized()
        if self._ours:
            _reach(address)
            try:
                ray.init(address or None, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False,
                         ignore_reinit_error=True)  # fmt: skip
            except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
                raise AuditError(f"no Ray cluster at {address}: {error}", "start one: ray start --head") from error
        self._kind = "GPU" if gpu else "CPU"
        room = self._room()
        if not room:
            self.close()
            raise AuditError(f"the Ray cluster has no {self._kind}", "add a node: ray start --address=HEAD")
        self.workers = min(workers or room, room)
        self._actors: dict[int, Any] = {}
        self._open: dict[Any, int] = {}

    def call(self, worker: int, method: str, *arguments: Any) -> None:
        """As in Runner; a worker that is gone waits for a core of the cluster."""
        if worker not in self._actors:
            needs = {"num_gpus": 1} if self._kind == "GPU" else {"num_cpus": 1}
            actor = self._ray.remote(Host).options(**needs, max_restarts=0, scheduling_strategy="SPREAD")
            self._actors[worker] = actor.remote(self._task)
        self._open[self._actors[worker].call.remote(method, *arguments)] = worker

    def wait(self, seconds: float | None = None) -> list[Event]:
        """As in Runner."""
        if not self._open:
            return []
        ready, _ = self._ray.wait(list(self._open), num_returns=1, timeout=seconds)
        return [self._event(one, self._open.pop(one)) for one in ready]

    def share(self, table: pa.Table) -> Any:
        """The table in the cluster's object store."""
        return self._ray.put(table)

    def release(self, shared: Any) -> None:
        """Ray frees what nobody refers to."""

    def close(self) -> None:
        """As in Runner."""
        for actor in getattr(self, "_actors", {}).values():
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)
        if self._ours:
            self._ray.shutdown()

    def _room(self) -> int:
        """The cores or GPUs of the nodes that live."""
        nodes: Any = self._ray.nodes  # typed or not as the installed version has it
        alive = [node["Resources"] for node in nodes() if node["Alive"]]
        return int(sum(resources.get(self._kind, 0) for resources in alive))

    def _event(self, one: Any, worker: int) -> Event:
        try:
            value, error = self._ray.get(one)
        except self._ray.exceptions.RayTaskError as failed:
            return Event(worker, error=AuditError(f"internal error in a worker: {failed}"))
        except self._ray.exceptions.RayError as gone:
            actor = self._actors.pop(worker, None)
            if actor is not None:
                self._ray.kill(actor)
            return Event(worker, lost=" ".join(str(gone).split())[:200], gone=self._room() <= len(self._actors))
        return Event(worker, value, error)
