"""One file a provider: how it sends, and how its notifications are read. Never imports the database."""
