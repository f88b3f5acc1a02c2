"""Pages about exports: a patient's history, the whole clinic."""
