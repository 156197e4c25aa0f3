"""May this be sent? Preflight before a launch. Owns no table."""
