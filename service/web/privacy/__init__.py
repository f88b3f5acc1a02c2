"""Pages about privacy: the audit, who looked, erasures, changes of records."""
