"""What happened? Facts, hourly rollups and reports.

Owns: events, rollups, engagements.
"""
