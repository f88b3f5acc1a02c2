"""Two acts at the same moment: a table of acts, a way to interleave two, and what may never come of it."""
