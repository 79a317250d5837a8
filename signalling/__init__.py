"""Words from clients become calls on ``mediaserver``: WebSocket, WHIP, WHEP, REST, pages, command line."""
