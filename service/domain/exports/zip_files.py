"""Write a ZIP of text files without keeping them in memory."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import BinaryIO, TextIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

OpenFile = Callable[[str], AbstractContextManager[TextIO]]


@contextmanager
def written(target: BinaryIO, folder: str, made_at: datetime) -> Iterator[OpenFile]:
    """Yield a function that opens the files of the ZIP one after the other (UTF-8, without newline translation).

    All are in one folder, to keep the target tidy when unpacking. `made_at` is their local time.
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
