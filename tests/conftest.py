"""Shared fixtures. Real data is found through PREFAUDIT_TEST_DATA; where it is set, a skipped test is a failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import NO_BROWSER

if TYPE_CHECKING:
    import prefaudit

# Threads that wait for each other in tiny models burn more than they compute: six times as much on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

skipped: list[str] = []


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real datasets; skips, saying so, where it is not at hand."""
    folder = os.environ.get("PREFAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("PREFAUDIT_TEST_DATA is not set")
    path = Path(folder)
    assert path.is_dir(), f"PREFAUDIT_TEST_DATA names no folder: {path}"
    return path


@pytest.fixture(scope="session")
def demo_audit(tmp_path_factory: pytest.TempPathFactory) -> prefaudit.Audit:
    """An audit of the example dataset, to be read; what a test would change it copies first."""
    import prefaudit
    from prefaudit.demo import demo_path

    return prefaudit.scan(str(demo_path()), tmp_path_factory.mktemp("demo") / "audit")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and NO_BROWSER not in str(report.longrepr):
        skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("PREFAUDIT_TEST_DATA") and skipped and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("PREFAUDIT_TEST_DATA"):
        for nodeid in skipped:
            terminalreporter.write_line(f"FAILED (skipped although PREFAUDIT_TEST_DATA is set): {nodeid}")
