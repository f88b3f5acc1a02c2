"""Pages about patients: records and their forms, merging, emergencies, consent."""
