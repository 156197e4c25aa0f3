"""What every slice stands on: database, settings, ids, clock, errors, crypto. No email word in here."""
