"""Opens what the user named, in whatever container, and yields parts of source rows."""

from __future__ import annotations

from prefaudit.sources.base import Kind, Part
from prefaudit.sources.opening import open
from prefaudit.sources.source import Source

__all__ = ["Kind", "Part", "Source", "open"]
