"""What a runner is: a fixed number of workers that are called one call at a time and may be lost."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa


@dataclass(frozen=True)
class Task:
    """An object that every worker makes once: `module:Class`, and the one argument it is made with (picklable)."""

    factory: str
    settings: Any

    def make(self) -> Any:
        """The object."""
        module, _, name = self.factory.partition(":")
        return getattr(importlib.import_module(module), name)(self.settings)


class Event(NamedTuple):
    """What came of a worker's call: its value, its error, or why the worker was lost.

    A worker that was lost is replaced at its next call, unless it is `gone`: there is no room for it any more.
    """

    worker: int
    value: Any = None
    error: Exception | None = None
    lost: str = ""
    gone: bool = False


class Runner(Protocol):
    """Workers by number, 0 to workers - 1; each has at most one call open."""

    workers: int

    def call(self, worker: int, method: str, *arguments: Any) -> None:
        """Start a call of the worker's object; a worker that is gone is replaced by a new one first."""

    def wait(self, seconds: float | None = None) -> list[Event]:
        """What has ended, at least one event unless the time runs out."""

    def share(self, table: pa.Table) -> Any:
        """A table as an argument of calls: where workers can map it, it is not copied into each call."""

    def release(self, shared: Any) -> None:
        """No call needs it any more."""

    def close(self) -> None:
        """End every worker at once, whatever it is doing."""
