"""The rules of the package are read and checked once for all these tests, which make many small audits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any

import pytest

from prefaudit import rules


@pytest.fixture(scope="session", autouse=True)
def _rules_once() -> Iterator[None]:
    once = cache(rules.load)

    def load(folders: Iterable[Any] = (), columns: Collection[str] | None = None) -> dict[str, Any]:
        return dict(once(tuple(folders), None if columns is None else frozenset(columns)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "load", load)
        yield
