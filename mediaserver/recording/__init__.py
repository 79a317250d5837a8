"""What is kept of a procedure: taps are copied into encrypted journals, journals sealed into playable
segments.

The recorder is a process of its own (``python -m mediaserver.recording``); the server's side is
``mediaserver/recording/control.py``. ``docs/recording.md`` describes files and records.
"""
