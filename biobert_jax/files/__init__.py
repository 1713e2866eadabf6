"""Every path of a user, local or in a bucket: reading with limits and messages, writing whole.

Other modules open no file of a user by themselves, and make no path of a user's text but by
`to_path`. What they get from here:

    paths     to_path, in_bucket, shown
    reading   open_bounded, read_bytes, read_text, read_lines, read_json, parse_json, sha256_of
    writing   atomic_writing, write_text, write_json, writing_folder, refuse_overwriting
    staging   local: a bucket's file or folder as a local one, for libraries that open files

`bucket` has what gs:// and s3:// paths do; it and what it needs are imported when the first such
path is used. Whatever cannot be read is a DataError, whatever cannot be written a WriteError.
"""

from biobert_jax.files.paths import (
    AnyPath,
    files_below,
    in_bucket,
    local_only,
    shown,
    similar,
    to_path,
    walk,
)
from biobert_jax.files.reading import (
    carriage_returns,
    decode,
    decode_lines,
    open_bounded,
    read_bounded,
    read_bytes,
    read_json,
    read_lines,
    read_text,
    sha256_of,
    split_lines,
)
from biobert_jax.files.staging import local
from biobert_jax.files.writing import (
    atomic_writing,
    new_folder,
    refuse_overwriting,
    remove_folder,
    same_file,
    upload_folder,
    write_json,
    write_text,
    writing,
    writing_folder,
)
from biobert_jax.strict_json import parse_json

__all__ = [
    "AnyPath",
    "atomic_writing",
    "carriage_returns",
    "decode",
    "decode_lines",
    "files_below",
    "in_bucket",
    "local",
    "local_only",
    "new_folder",
    "open_bounded",
    "parse_json",
    "read_bounded",
    "read_bytes",
    "read_json",
    "read_lines",
    "read_text",
    "refuse_overwriting",
    "remove_folder",
    "same_file",
    "sha256_of",
    "shown",
    "similar",
    "split_lines",
    "to_path",
    "upload_folder",
    "walk",
    "write_json",
    "write_text",
    "writing",
    "writing_folder",
]
