from datetime import tzinfo

class IntervalTrigger:
    def __init__(self, *, seconds: int = 0, minutes: int = 0, timezone: tzinfo) -> None: ...
