"""One sample a second of every leg, from the plane and from what browsers claim, in a bounded store."""
