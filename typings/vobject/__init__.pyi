from typing import Any

def readOne(stream: str) -> Any: ...  # noqa: N802
