from datetime import datetime, tzinfo

class CronTrigger:
    def __init__(
        self, *, day: int | None = None, day_of_week: int | None = None, hour: int, minute: int, timezone: tzinfo
    ) -> None: ...
    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None: ...
