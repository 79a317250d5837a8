"""Derived copies of a recording: films, clips, stills, DICOM objects. Nothing of the recording is changed."""
