"""What survives a restart: procedures, consents, recordings, bookmarks and the audit, in one SQLite file."""
