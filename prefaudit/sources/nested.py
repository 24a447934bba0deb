"""Bytes inside lists and objects are left out: an image in a message part must not hide the message."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def is_bytes(t: pa.DataType) -> bool:
    """Binary of any width."""
    kinds = pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view
    return any(is_kind(t) for is_kind in kinds)


def holds_bytes(t: pa.DataType) -> bool:
    """Bytes, or a list or object with bytes somewhere inside."""
    if isinstance(t, pa.BaseExtensionType):
        return holds_bytes(t.storage_type)
    if pa.types.is_struct(t):
        return any(holds_bytes(t.field(i).type) for i in range(t.num_fields))
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return holds_bytes(t.value_type)
    return is_bytes(t)


def without_bytes(array: pa.Array) -> pa.Array | None:
    """The array less its bytes; None where nothing else is in it."""
    t = array.type
    if isinstance(t, pa.BaseExtensionType):
        return without_bytes(array.storage)
    if is_bytes(t):
        return None
    if not holds_bytes(t):
        return array
    null = array.is_null()
    if pa.types.is_struct(t):
        inner = [(t.field(i).name, without_bytes(child)) for i, child in enumerate(array.flatten())]
        kept = {name: child for name, child in inner if child is not None}
        return pa.StructArray.from_arrays(list(kept.values()), names=list(kept), mask=null) if kept else None
    values = without_bytes(array.flatten())
    if values is None:
        return None
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, values, mask=null)


def column_without_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As `without_bytes`, for a column that has more than bytes."""
    chunks = [without_bytes(chunk) for chunk in column.chunks] or [without_bytes(pa.array([], column.type))]
    return pa.chunked_array([c for c in chunks if c is not None])
