"""``loupe doctor --preflight``: from a hospital's computer to a server, on one page."""
