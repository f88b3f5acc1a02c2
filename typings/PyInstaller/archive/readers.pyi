"""What tests/dist reads of the executable."""

from typing import Any

class ZlibArchiveReader:
    toc: dict[str, Any]

class CArchiveReader:
    toc: dict[str, Any]
    def __init__(self, filename: str) -> None: ...
    def open_embedded_archive(self, name: str) -> ZlibArchiveReader: ...
