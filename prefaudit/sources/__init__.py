"""Opens what the user named, in whatever container, and yields parts of source rows."""

from __future__ import annotations

from .base import Kind, Part
from .opening import open
from .source import Source

__all__ = ["Kind", "Part", "Source", "open"]
