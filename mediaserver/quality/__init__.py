"""What pictures look like, for operators who never see them: black, over-exposed, blurred, corrupt,
unchanged, a test pattern.

A process of its own (``python -m mediaserver.quality``) decodes key frames of each source's lowest layer, one
a second at most; ``mediaserver/quality/control.py`` is the server's side. Advisory: nothing is shown or kept.
"""
