"""Measurements of this installation with its real roles: what `tidings bench …` runs."""
