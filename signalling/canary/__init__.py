"""The canary: a synthetic publisher and viewer in their own room tell silence from health."""
