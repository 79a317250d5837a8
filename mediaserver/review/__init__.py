"""Studying what was recorded: playback by range, moments, and derived copies for elsewhere."""
