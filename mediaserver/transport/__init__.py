"""How one participant is connected: ICE credentials, DTLS handshake, data channels."""
