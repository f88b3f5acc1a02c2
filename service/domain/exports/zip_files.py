"""A zip of text files, written straight to its place without anything kept in memory."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import BinaryIO, TextIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

OpenFile = Callable[[str], AbstractContextManager[TextIO]]


@contextmanager
def written(target: BinaryIO, folder: str, made_at: datetime) -> Iterator[OpenFile]:
    """Yields what opens one file of the zip after the other for writing (UTF-8, line ends as they are written).

    All lie in one folder, so that unpacking litters nothing; `made_at` is the wall clock's time of all of them.
    """
    with ZipFile(target, "w") as whole:

        @contextmanager
        def file(name: str) -> Iterator[TextIO]:
            info = ZipInfo(f"{folder}/{name}", made_at.timetuple()[:6])
            info.compress_type = ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            with (
                whole.open(info, "w", force_zip64=True) as raw,
                io.TextIOWrapper(raw, encoding="utf-8", newline="") as text,
            ):
                yield text

        yield file
