"""Pages about patients: records and their forms, merging, emergency access, consent."""
