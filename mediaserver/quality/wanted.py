"""Pictures that operators wait for, on the server's side of the probe."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

from mediaserver.errors import LimitReached, NoPictureYet, PictureNotWatched

LIMIT_SECONDS = 3.0
AT_ONCE = 4
"""Each makes a publisher send a key frame; of one source there is one at a time."""


class Wanted:
    """One process's."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[bytes]] = {}

    async def picture(self, publication: str, ask: Callable[[], bool]) -> bytes:
        """JPEG. ``ask`` asks the probe for it and says whether it could.

        Raises ``LimitReached``, ``PictureNotWatched``, and ``NoPictureYet`` after 3 s.
        """
        if publication in self._waiting or len(self._waiting) >= AT_ONCE:
            raise LimitReached("somebody waits for a picture already; try again in a moment")
        coming: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[publication] = coming
        try:
            if not ask():
                raise PictureNotWatched
            async with asyncio.timeout(LIMIT_SECONDS):
                return await coming
        except TimeoutError:
            raise NoPictureYet from None
        finally:
            del self._waiting[publication]

    def came(self, publication: str, text: str) -> None:
        """The probe took one. ``text``: base64."""
        coming = self._waiting.get(publication)
        if coming is not None and not coming.done():
            coming.set_result(base64.b64decode(text))

    def ended(self, publication: str) -> None:
        """It is not watched any more."""
        coming = self._waiting.get(publication)
        if coming is not None and not coming.done():
            coming.set_exception(PictureNotWatched())
