"""Parquet and Arrow files: the same schema and metadata, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefaudit.core import SourceError
from prefaudit.repair.cut import Cut, Span
from prefaudit.sources.columnar import broken_parquet, is_text
from prefaudit.sources.streams import Stream, head

GROUP_BYTES = 96 << 20  # of one row group in memory, decoded
CODECS = {"UNCOMPRESSED": "none", "LZ4_RAW": "lz4", "LZ4": "lz4"}


def changed(table: pa.Table, span: Span) -> pa.Table:
    """The rows of a table that stay, with the columns that change and those that are added."""
    plain = pa.schema([f.with_type(viewless(f.type)) for f in table.schema], table.schema.metadata)
    if plain.equals(table.schema):
        return _changed(table, span)
    return _changed(table.cast(plain), span).cast(schema(table.schema, span.cut))


def viewless(kind: pa.DataType) -> pa.DataType:
    """A type with ordinary strings and bytes in place of views, of which Arrow cannot take some."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_struct(kind):
        return pa.struct([f.with_type(viewless(f.type)) for f in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = kind.value_field.with_type(viewless(kind.value_type))
        return pa.list_(inner) if pa.types.is_list(kind) else pa.large_list(inner)
    return kind


def _changed(table: pa.Table, span: Span) -> pa.Table:
    given, order = table, span.order()
    if span.cut.copies is not None:
        table = table.take(pa.array(span.base(order)))
    elif not span.keep.all():
        table = table.filter(pa.array(span.keep))
    if span.low < span.high:
        for name in span.cut.values.column_names:
            at = table.schema.get_field_index(name)
            f = table.schema.field(at)
            twin = span.cut.swaps.get(name)
            if twin is not None and given.schema.field(twin).type == f.type:
                new = given[twin].take(pa.array(span.changed))
            else:
                new = pa.chunked_array([_typed(span, name, f.type)])
            both = pa.chunked_array([*given[name].chunks, *new.chunks], f.type)
            table = table.set_column(at, f, both.take(pa.array(order)))
    for name in span.cut.added:
        told = span.added(name)[span.keep]
        numbers = pa.array(told, pa.float64(), mask=np.isnan(told))
        at = table.schema.get_field_index(name)
        if at < 0:
            table = table.append_column(pa.field(name, pa.float64()), numbers)
        else:
            table = table.set_column(at, pa.field(name, pa.float64()), numbers)
    return table


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a type has bytes anywhere in it: reading leaves them out, so JSON text cannot give them back."""
    if pa.types.is_nested(kind):
        return any(holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return "binary" in str(kind)


def _typed(span: Span, name: str, kind: pa.DataType) -> pa.Array:
    texts = span.texts(name)
    if holds_bytes(kind):
        raise SourceError(
            f"column {name!r} holds bytes and cannot be rewritten", "drop these pairs, or write with --to"
        )
    values: list[Any] = list(texts) if is_text(kind) else [span.value(name, t) for t in texts]
    try:
        if pa.types.is_dictionary(kind):
            return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
        if pa.types.is_decimal(kind) or pa.types.is_temporal(kind):
            return pa.array([None if v is None else str(v) for v in values], pa.string()).cast(kind)
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError) as e:
        raise SourceError(f"column {name!r} ({kind}) cannot hold the new value: {e}") from e


def schema(given: pa.Schema, cut: Cut) -> pa.Schema:
    """The schema of the output: that of the source, with the added columns."""
    for name in cut.added:
        at = given.get_field_index(name)
        new = pa.field(name, pa.float64())
        given = given.append(new) if at < 0 else given.set(at, new)
    return given


def copy_parquet(files: list[tuple[Path, str]], out: Path, cut: Cut, first: int) -> int:
    """Write the rows of Parquet files that stay as one file.

    Codec, dictionaries, statistics and the size of row groups are those of the first file; a row group of more than
    96 MB is written as several.

    Raises:
        SourceError: a file cannot be read, or the files have different schemas.
    """
    sources = [_opened(path, name) for path, name in files]
    lead = sources[0]
    given = lead.schema_arrow
    for source, (_, name) in zip(sources, files, strict=True):
        if not source.schema_arrow.equals(given):
            raise SourceError(
                f"{name}: its schema is not that of {files[0][1]}", "name a folder with -o: one file each"
            )
    with pq.ParquetWriter(out, schema(given, cut), **_style(lead)) as writer:
        for source, (_, name) in zip(sources, files, strict=True):
            for table in _groups(source, name, cut.times):
                span = cut.span(first, table.num_rows)
                first += table.num_rows
                kept = table if span.whole else changed(table, span)
                if kept.num_rows:
                    writer.write_table(kept, row_group_size=kept.num_rows)
        metadata = lead.metadata.metadata or {}
        writer.add_key_value_metadata({k: v for k, v in metadata.items() if k != b"ARROW:schema" and
                                       k not in (given.metadata or {})})  # fmt: skip
    return first


def _opened(path: Path, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowException, OSError) as e:
        raise broken_parquet(path, name, e) from e


def _style(file: pq.ParquetFile) -> dict[str, Any]:
    meta = file.metadata
    if not meta.num_row_groups:
        return {"compression": "zstd"}
    chunks = [meta.row_group(0).column(i) for i in range(meta.num_columns)]
    return {
        "compression": {c.path_in_schema: CODECS.get(c.compression, c.compression.lower()) for c in chunks},
        "compression_level": {c.path_in_schema: 3 for c in chunks if c.compression == "ZSTD"} or None,
        "use_dictionary": [c.path_in_schema for c in chunks if c.has_dictionary_page] or False,
        "write_statistics": [c.path_in_schema for c in chunks if c.is_stats_set] or False,
        "use_compliant_nested_type": not any(".list.item" in c.path_in_schema for c in chunks),
        "store_schema": b"ARROW:schema" in (meta.metadata or {}),
    }


def _groups(file: pq.ParquetFile, name: str, times: int) -> Iterator[pa.Table]:
    """Tables of whole row groups, or of pieces of them where they are large when each row is written so often."""
    meta = file.metadata
    for group in range(meta.num_row_groups):
        size = meta.row_group(group)
        rows = size.num_rows
        pieces = max(1, -(-size.total_byte_size * times // GROUP_BYTES))
        try:
            if pieces == 1:
                yield file.read_row_group(group, use_threads=False)
            else:
                for batch in file.iter_batches(-(-rows // pieces), row_groups=[group], use_threads=False):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as e:
            raise SourceError(f"{name}: row group {group} cannot be read: {e}", "write the file again") from e


def copy_arrow(files: list[tuple[Path, str]], out: BinaryIO, cut: Cut, first: int) -> int:
    """Write the rows of Arrow files that stay, as a file or a stream as the first of them is."""
    is_file = head(*files[0], 6) == b"ARROW1"
    writer: Any = None
    sink = pa.PythonFile(out, mode="w")
    for path, name in files:
        for given, batch in _batches(path, name):
            if writer is None:
                make = pa.ipc.new_file if is_file else pa.ipc.new_stream
                lead = given
                writer = make(sink, schema(given, cut))
            if batch is None:
                if not given.equals(lead):
                    raise SourceError(f"{name}: its schema is not that of {files[0][1]}", "name a folder with -o")
                continue
            span = cut.span(first, batch.num_rows)
            first += batch.num_rows
            for kept in changed(pa.Table.from_batches([batch]), span).to_batches():
                writer.write_batch(kept)
    writer.close()
    return first


def _batches(path: Path, name: str) -> Iterator[tuple[pa.Schema, pa.RecordBatch | None]]:
    """The schema alone, then every batch."""
    try:
        with Stream(path, name) as stream:
            source = pa.PythonFile(stream, mode="r") if stream.compression else pa.memory_map(str(path))
            if head(path, name, 6) == b"ARROW1":
                if not stream.compression:
                    reader = pa.ipc.open_file(source)
                    yield reader.schema, None
                    yield from ((reader.schema, reader.get_batch(i)) for i in range(reader.num_record_batches))
                    return
                source.read(8)
            reader = pa.ipc.open_stream(source)
            yield reader.schema, None
            yield from ((reader.schema, batch) for batch in reader)
    except (pa.ArrowException, EOFError) as e:
        raise SourceError(f"{name}: not readable as Arrow: {e}", "write the file again") from e


def copy_frame(table: pa.Table, out: Path, kind: str, cut: Cut) -> None:
    """Write the rows of a frame that stay as Parquet or Arrow."""
    new = schema(table.schema, cut)
    writer: Any = (
        pq.ParquetWriter(out, new, compression="zstd") if kind == "parquet" else pa.ipc.new_file(str(out), new)
    )
    with writer:
        for at in range(0, table.num_rows, 1 << 16):
            piece = table.slice(at, 1 << 16)
            writer.write_table(changed(piece, cut.span(at, piece.num_rows)))
