"""Who followed which link, and was it a person? Link tokens, hits, human-or-machine. Owns no table."""
