"""What no command may write over: the sources of an audit, wherever they are by now, and the audit's own files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefaudit.core import AuditError, UsageError
from prefaudit.sources import Source
from prefaudit.sources.fingerprints import of_blocks
from prefaudit.sources.locate import files
from prefaudit.store import OWNED, Store


def recorded(source: Source, store: Store) -> list[dict[str, Any]]:
    """The local files and folders of a source, for run.json, which alone may name places of this machine.

    Returns:
        Of each `path` (absolute), `relative` (to the audit folder; "" of one on an object store), and of a file `bytes`
        and `print` (of blocks of its content).
    """
    named = [Path(path).expanduser() for path in source.paths]
    places = [*(p for p in named if p.is_dir()), *(f.path for f in source.located if str(f.path) == f.name)]
    return [_facts(path, store) for path in places]


def _facts(path: Path, store: Store) -> dict[str, Any]:
    full = path.resolve()
    near = "" if store.remote else os.path.relpath(full, store.folder.resolve())
    facts: dict[str, Any] = {"path": str(full), "relative": near}
    with suppress(OSError):  # gone meanwhile: what is not there cannot be written over
        facts |= {"bytes": full.stat().st_size, "print": of_blocks(full)} if full.is_file() else {}
    return facts


def check(target: Path, *, data: Iterable[str] = (), audit: str | Path | None = None, content: bool = True) -> None:
    """Whether a file may be written here, asked before any work is done.

    Args:
        target: where to.
        data: paths, globs and folders as the user names them now.
        audit: the audit folder that is read or made.
        content: whether a copy of a source is spared too; a repair that changes nothing makes one.

    Raises:
        UsageError: it is a source, lies in a source folder, or is one of the files that an audit consists of.
    """
    home = _home(target, audit)
    if home is not None:
        raise UsageError(f"{target} is a file of the audit in {home} itself", "write to another place")
    if not target.exists():
        return
    sources = [fact for name in data for fact in _named(name)]
    sources += _of_audit(audit) if audit is not None else []
    if any(_is(target, fact, content) for fact in sources):
        raise UsageError(f"{target} is the source itself", "write to another file; the source is never changed")


def _home(target: Path, audit: str | Path | None) -> Path | None:
    """The audit folder of whose own files this is one; `audit` may be about to be made."""
    full = target.resolve()
    coming = Path(audit).resolve() if audit is not None and "://" not in str(audit) else None
    for folder in full.parents:
        audited = (folder / "run.json").is_file() and (folder / "pairs" / "recipe.json").is_file()
        if (audited or folder == coming) and full.relative_to(folder).parts[0] in OWNED:
            return folder
    return None


def _named(name: str) -> Iterator[dict[str, Any]]:
    if "://" in name.removeprefix("file://") or name == "-":
        return
    with suppress(AuditError):  # what is no file here is no file to be spared; the scan says what it is
        for path in (Path(name).expanduser(), *files(name.removeprefix("file://"))):
            yield {"path": str(path), "bytes": path.stat().st_size if path.is_file() else None}


def _of_audit(audit: str | Path) -> list[dict[str, Any]]:
    """The sources as they were recorded, each where it was and where it is if it was moved with the folder."""
    if "://" not in str(audit) and not Path(audit).is_dir():
        return []  # it is about to be made, or is data
    store = Store(audit)
    told = store.run().get("sources")
    if isinstance(told, list):
        known = [fact for fact in told if isinstance(fact, dict) and isinstance(fact.get("path"), str)]
        moved = [{**fact, "path": str(store.folder / str(fact["relative"]))} for fact in known if fact.get("relative")]
        return [*known, *moved]
    dataset = (store.load("report.json") or {}).get("dataset")
    paths = dataset.get("paths") if isinstance(dataset, dict) else None
    places = (Path(), *store.folder.resolve().parents)  # an audit from before they were recorded
    names = [str(place / str(name)) for name in paths or () for place in places if "://" not in str(name)]
    return [fact for name in names if Path(name).exists() for fact in _named(name)]


def _is(target: Path, fact: dict[str, Any], content: bool) -> bool:
    path = Path(fact["path"])
    if path.exists() and (target.samefile(path) or (path.is_dir() and path.resolve() in target.resolve().parents)):
        return True
    if not content or not target.is_file() or not fact.get("bytes") or fact["bytes"] != target.stat().st_size:
        return False
    return bool(of_blocks(target) == (fact.get("print") or of_blocks(path)))
