"""Layer choice carried out: what ``mediaserver.layers`` decides reaches the data plane, the viewers and the
publishers (``docs/layers.md``).

``turn`` holds the loop, ``viewer`` what is remembered of each viewer, ``meters`` the one snapshot a second,
``demands`` and ``wishes`` translate from the room and to the plane, ``uplinks`` fits what publishers send,
and ``legs`` says how good each leg is.
"""
