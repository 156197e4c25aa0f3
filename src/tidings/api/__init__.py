"""REST for the dashboard and programs: one router a slice. Translates in, makes one call, translates out."""
