"""Descriptions in, typed values out, and back: pure functions.

SDP text lives in ``offer.py`` and ``answer.py`` only.
"""
