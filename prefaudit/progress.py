"""Progress on a terminal: on stderr, from the second second on, with what is left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prefaudit.core import Progress


@contextmanager
def on_terminal(quiet: bool) -> Iterator[Progress]:
    """Progress bars where stderr is a terminal and nobody asked for quiet; otherwise silence."""
    if quiet or not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    bars = Bars(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TimeRemainingColumn(), console=Console(stderr=True), transient=True)  # fmt: skip
    tasks: list[int] = []

    def start(stage: str, total: int | None) -> None:
        tasks.append(bars.add_task(stage, total=total))

    def step(n: int) -> None:
        bars.advance(tasks[-1], n)  # type: ignore[arg-type]

    def done() -> None:
        bars.remove_task(tasks.pop())  # type: ignore[arg-type]

    with bars:
        yield Progress(start, step, done)
