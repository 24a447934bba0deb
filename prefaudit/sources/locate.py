"""From what the user named to the files that hold the rows, and their container."""

from __future__ import annotations

import difflib
import glob
import os
from pathlib import Path

from prefaudit.core import SourceError
from prefaudit.sources import jsonfile
from prefaudit.sources.remote import File, fetch, is_uri, standard_input
from prefaudit.sources.streams import SUFFIXES, head

CONTAINERS = {
    ".parquet": "parquet", ".pq": "parquet",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonlines": "jsonl",
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
ASIDE = {"dataset_info.json", "state.json", "dataset_dict.json", "dataset_infos.json"}  # about the data, not data
CONVERT = {
    ".xlsx": "save the sheet as CSV, or pandas.read_excel(FILE).to_parquet('data.parquet')",
    ".xls": "save the sheet as CSV, or pandas.read_excel(FILE).to_parquet('data.parquet')",
    ".ods": "save the sheet as CSV",
    ".pkl": "a pickle can run code and is never opened; write the data as Parquet or JSON Lines",
    ".pickle": "a pickle can run code and is never opened; write the data as Parquet or JSON Lines",
    ".pt": "a pickle can run code and is never opened; write the data as Parquet or JSON Lines",
    ".pth": "a pickle can run code and is never opened; write the data as Parquet or JSON Lines",
    ".bin": "write the data as Parquet or JSON Lines",
    ".zip": "unpack it and name the file inside",
    ".tar": "unpack it and name the file inside",
    ".tgz": "unpack it and name the file inside",
    ".7z": "unpack it and name the file inside",
    ".yaml": "write the data as JSON Lines",
    ".db": "export the table as Parquet or CSV",
    ".sqlite": "export the table as Parquet or CSV",
    ".orc": "write the data as Parquet",
    ".avro": "write the data as Parquet",
}
KNOWN = "parquet, json, jsonl, csv, tsv, arrow, each also as .gz .zst .bz2 .xz"
POINTER = b"version https://git-lfs.github.com/spec"


def suffix(path: Path) -> str:
    """The ending that names the container, without that of a compression."""
    name = path.name.lower()
    for ending in SUFFIXES:
        name = name.removesuffix(ending)
    return Path(name).suffix


def located(named: str, into: Path) -> list[File]:
    """The files of a path, glob, folder, URI or "-", as local files; what is not local is copied to `into`.

    Raises:
        SourceError: nothing is there, or it cannot be read.
    """
    if named == "-":
        return standard_input(into)
    if is_uri(named) and not named.startswith("file://"):
        return fetch(named, into, _is_data)
    return [File(path, str(path)) for path in files(named.removeprefix("file://"))]


def files(named: str) -> list[Path]:
    """The files of one path, glob or folder, sorted.

    Raises:
        SourceError: nothing is there, or no data file is in it.
    """
    path = Path(named).expanduser()
    try:
        if not path.exists() and glob.has_magic(named):
            names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
            found = sorted(p for p in map(Path, names) if p.is_file())
            if not found:
                raise SourceError(f"{named}: no file matches", "quote the pattern, or look at what the folder holds")
            return found
        if path.is_dir():
            return folder(path)
        if not path.exists():
            raise missing(path)
    except OSError as e:
        raise unreadable(path, e) from e
    return [path]


def folder(path: Path) -> list[Path]:
    """All data files under a folder, sorted, hidden ones and links to folders left out.

    Raises:
        SourceError: there is none, it is a `datasets` dictionary of several splits, or an audit folder.
    """
    if (path / "run.json").exists() and (path / "pairs" / "recipe.json").exists():
        raise SourceError(f"{path}: an audit folder, not a dataset",
                          f"name the data it was made from; `prefaudit report {path}` says what was found")  # fmt: skip
    splits = sorted(p.parent.name for p in path.glob("*/state.json"))
    if (path / "dataset_dict.json").exists() and len(splits) > 1:
        raise SourceError(f"{path}: holds the splits {', '.join(splits)}", f"name one, e.g. {path / splits[0]}")

    def refuse(error: OSError) -> None:
        raise unreadable(Path(error.filename or path), error)

    found = []
    for root, folders, names in os.walk(path, onerror=refuse):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "_")))
        found += [Path(root) / n for n in sorted(names) if _is_data(n)]
    if not found:
        raise SourceError(f"{path}: no data file in this folder", f"known: {KNOWN}")
    return found


def _is_data(name: str) -> bool:
    return suffix(Path(name)) in CONTAINERS and name not in ASIDE and not name.startswith((".", "_", "cache-"))


def missing(path: Path) -> SourceError:
    """The error for a file that is not there, with the nearest name that is."""
    if path.is_symlink():
        return SourceError(f"{path}: a broken link to {path.readlink()}")
    near: list[str] = []
    if path.parent.is_dir():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.5)
    elif not path.parent.exists():
        return SourceError(f"{path}: not found: there is no folder {path.parent}")
    return SourceError(f"{path}: not found", f"did you mean {path.parent / near[0]}?" if near else "")


def unreadable(path: Path | str, error: OSError) -> SourceError:
    """The error for what the system does not let us read."""
    if isinstance(error, PermissionError):
        return SourceError(f"{path}: permission denied", "make it readable, e.g. chmod u+r")
    return SourceError(f"{path}: {error.strerror or error}")


def container(path: Path, name: str) -> str:
    """parquet, json, jsonl, csv, tsv or arrow, by the name and, for JSON and unknown names, by the first bytes.

    Raises:
        SourceError: the file is empty, is of a kind that is not read, or is not what its name says.
    """
    ending = suffix(path)
    if ending in CONVERT:
        raise SourceError(f"{name}: {ending} is not read", CONVERT[ending])
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{name}: the file is empty")
        start = head(path, name)
    except OSError as e:
        raise unreadable(name, e) from e
    check_start(name, start)
    said = CONTAINERS.get(ending, "")
    if start.startswith(b"PAR1"):
        return "parquet"
    if said in ("json", "jsonl"):
        return jsonfile.container(path, name, said)
    return said or guessed(path, name, start)


def check_start(name: str, start: bytes) -> None:
    """Raises SourceError where the first bytes are of something else than data."""
    if not start.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError(f"{name}: holds nothing but blank lines")
    if start.startswith(POINTER):
        raise SourceError(f"{name}: a Git LFS pointer, not the file itself", "fetch it: git lfs pull")
    if start.lstrip()[:100].lower().startswith((b"<!doctype html", b"<html")):
        raise SourceError(f"{name}: a web page (HTML), not data", "the download may have given an error or login page")
    if start.startswith(b"PK\x03\x04"):
        raise SourceError(f"{name}: a zip archive (or Excel sheet), not data", "unpack it, or save the sheet as CSV")
    if start.startswith(b"\x80") and start[1:2] in b"\x02\x03\x04\x05":
        raise SourceError(f"{name}: a Python pickle, which can run code and is never opened", "write it as Parquet")


def guessed(path: Path, name: str, start: bytes) -> str:
    """The container of a file whose name does not say."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"ARROW1"):
        return "arrow"
    if text.startswith((b"{", b"[")):
        return jsonfile.container(path, name)
    line = text.split(b"\n", 1)[0]
    if b"\t" in line:
        return "tsv"
    if b"," in line or b";" in line:
        return "csv"
    raise SourceError(f"{name}: neither its name nor its text tells what it is", f"known: {KNOWN}")
