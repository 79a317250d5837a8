"""The WebSocket endpoint ``GET /ws``: reads frames, asks ``protocol.py`` what they mean, does it.

Three tasks per socket, all ended with it: the reader
(aiohttp's handler), the event pump, the watch over time.
"""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from mediaserver import errors
from mediaserver.bucket import TokenBucket
from mediaserver.errors import LoupeError
from mediaserver.policy import Right
from signalling import auditing, messages, origin, protocol, translate
from signalling.auth import Bearer
from signalling.close_codes import CloseCode
from signalling.context import Services, services
from signalling.dispatch import perform
from signalling.errors import MalformedMessage, RateLimited, SessionGone, Unauthorized
from signalling.faults import check_depth, describe, request_id
from signalling.limits import GuardedHandler
from signalling.names import clean
from signalling.protocol import Signal
from signalling.sessions import Session

log = logging.getLogger("loupe.signalling")

_CLOSING_SIGNALS = {
    "removed": Signal.REMOVED,
    "room_closed": Signal.REMOVED,
    "server_draining": Signal.DRAINING,
    "replaced": Signal.REPLACED,
    "worker_failed": Signal.WORKER_FAILED,
    "outside_viewers_not_consented": Signal.REMOVED,
    "teaching_not_consented": Signal.REMOVED,
    "treatment_link_declined": Signal.REMOVED,
}

_RIGHTS_OF_THE_ROOM = frozenset(
    {Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO, Right.SUBSCRIBE, Right.CHAT, Right.MODERATE}
)


async def handle(request: web.Request) -> web.StreamResponse:
    """``GET /ws`` with the subprotocol ``loupe.v1.json``."""
    parts = services(request)
    if parts.server.draining:
        raise errors.Draining
    origin.check(request, parts.settings.public_url)
    if request.body_exists:
        # Whether it is frames or a request is nothing that two peers may see differently (W23).
        raise MalformedMessage("an upgrade has no body")
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if messages.PROTOCOL not in (name.strip() for name in offered.split(",")):
        raise MalformedMessage(f"ask for the subprotocol {messages.PROTOCOL}", field="Sec-WebSocket-Protocol")
    ws = web.WebSocketResponse(
        protocols=(messages.PROTOCOL,),
        compress=False,
        autoclose=False,
        autoping=False,
        timeout=parts.limits.close_seconds,
        # aiohttp refuses a message of exactly this size.
        max_msg_size=parts.limits.message_bytes + 1,
    )
    await ws.prepare(request)
    if isinstance(request.protocol, GuardedHandler):
        request.protocol.upgraded()
    await Socket(ws, request, parts).run()
    return ws


class Socket:
    """One WebSocket connection and its place in the conversation."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, parts: Services) -> None:
        self._ws = ws
        self._transport = request.transport
        self._remote = request.remote
        self._parts = parts
        self._limits = parts.limits
        self._conversation = protocol.Conversation()
        self._session: Session | None = None
        self._pump: asyncio.Task[None] | None = None
        self._farewell: list[protocol.Action] = []
        self._listening: asyncio.Timeout | None = None
        self._bucket = TokenBucket(parts.limits.messages_per_second, parts.limits.message_burst)
        self._begun = self._heard = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Until the socket is closed, by whomever."""
        watch = asyncio.create_task(self._watch())
        try:
            while (message := await self._next()) is not None:
                await self._received(message)
            await self._do(self._farewell)
        except ConnectionError:
            pass  # the client is gone; what follows is the same as for a farewell
        finally:
            watch.cancel()
            self._stop_pump()
            if self._session is not None:
                self._parts.sessions.dropped(self._session, self)

    def replaced(self) -> None:
        """Another socket resumed the session (``sessions.Replaceable``)."""
        self._stop_pump()
        self._session = None
        self._end_soon(Signal.REPLACED)

    # ---- What comes in ----

    async def _next(self) -> WSMessage | None:
        """The next message; None when the socket has ended or shall end."""
        if self._farewell or self._ws.closed:
            return None
        try:
            async with asyncio.timeout(None) as self._listening:
                message = await self._ws.receive()
        except TimeoutError:
            return None
        finally:
            self._listening = None
        self._heard = asyncio.get_running_loop().time()
        if message.type is WSMsgType.CLOSE:
            # aiohttp takes 1006, which nobody may send (RFC 6455 section 7.4.1).
            forbidden = message.data == WSCloseCode.ABNORMAL_CLOSURE
            code = WSCloseCode.PROTOCOL_ERROR if forbidden else WSCloseCode.OK
            await self._ws.close(code=code, drain=False)
        ended = message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
        return None if ended else message

    async def _received(self, message: WSMessage) -> None:
        if message.type is WSMsgType.PONG:
            return
        if not self._bucket.take(self._heard):
            await self._send(protocol.error_message(RateLimited(), None))
            await self._do(self._conversation.signal(Signal.FLOODED))
            return
        match message.type:
            case WSMsgType.PING:
                await self._ws.pong(message.data)
            case WSMsgType.TEXT:
                await self._text(message.data.encode())
            case _:
                fault = MalformedMessage("messages are text frames", field="$")
                await self._do(self._conversation.receive_malformed(fault, None))

    async def _text(self, text: bytes) -> None:
        try:
            check_depth(text)
            request = messages.parse(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            actions = self._conversation.receive_malformed(describe(error), request_id(text))
        except MalformedMessage as error:
            actions = self._conversation.receive_malformed(error, None)
        else:
            actions = self._conversation.receive(request)
        await self._do(actions)

    # ---- What follows ----

    async def _do(self, actions: list[protocol.Action]) -> None:
        for action in actions:
            match action:
                case protocol.Send(message=message):
                    await self._send(message)
                case protocol.Perform(request=request):
                    await self._perform(request)
                case protocol.Admit(join=join):
                    await self._admit(join)
                case protocol.EndSession():
                    self._end_session()
                case protocol.Close(code=code):
                    await self._close(code)

    async def _perform(self, request: messages.Request) -> None:
        session = self._session
        if session is None:
            return
        try:
            answer = await perform(self._parts.server, session.participant, request, self._parts.desk)
        except LoupeError as error:
            auditing.denied_message(self._parts, session.participant, type(request).__name__, error)
            answer = protocol.error_message(error, request.id)
        except Exception:
            log.exception("request failed", extra={"request_type": type(request).__name__})
            answer = protocol.error_message(LoupeError("the server failed at this; it is logged"), request.id)
        await self._send(answer)

    async def _admit(self, join: messages.Join) -> None:
        try:
            session = self._resume(join) if join.resume is not None else self._join(join)
        except LoupeError as error:
            await self._do(self._conversation.refused(error, join.id, _close_code(error)))
            return
        self._session = session
        await self._do(self._conversation.admitted(self._hello(session, join)))
        self._pump = asyncio.create_task(self._pump_events(session))

    def _join(self, join: messages.Join) -> Session:
        bearer = self._parts.authenticator.check(join.token)
        try:
            return self._enter(bearer, join)
        except LoupeError as error:
            auditing.denied_join(self._parts, bearer, self._remote, error)
            raise

    def _enter(self, bearer: Bearer, join: messages.Join) -> Session:
        if not bearer.rights & _RIGHTS_OF_THE_ROOM:
            raise errors.NotPermitted("this role enters no room", field="$.token")
        name = clean(bearer.claims.name or join.name, messages.MAX_NAME_CHARACTERS)
        with self._parts.admission.opening(bearer, once=True, field="$.token"):
            session = self._parts.sessions.open(bearer, name, self, auditing.address_class(self._remote))
        # What happened up to now is in the room that hello carries.
        session.participant.outbox.replay(session.participant.outbox.seq)
        self._parts.server.metrics.join_stage("ws", asyncio.get_running_loop().time() - self._begun)
        return session

    def _resume(self, join: messages.Join) -> Session:
        wanted = join.resume
        assert wanted is not None, "called for joins that resume"
        session = self._parts.sessions.resume(wanted.session, wanted.token, wanted.seq, self)
        if self._parts.authenticator.is_revoked(session.claims):
            self._parts.sessions.end(session)
            raise Unauthorized("the token was withdrawn")
        return session

    def _hello(self, session: Session, join: messages.Join) -> messages.Hello:
        participant = session.participant
        room = self._parts.server.rooms.get(participant.room)
        return messages.Hello(
            id=join.id,
            version=messages.VERSION,
            session=session.id,
            resume_token=session.resume_token,
            resumed=join.resume is not None,
            seq=join.resume.seq if join.resume is not None else participant.outbox.seq,
            participant=participant.id,
            role=participant.role,
            rights=sorted(participant.rights),
            room=(
                translate.room(room.info())
                if room is not None
                else messages.RoomInfo(id=participant.room, participants=[], publications=[])
            ),
            ice_servers=[
                messages.IceServer(
                    urls=list(server.urls),
                    username=server.username,
                    credential=server.credential.get_secret_value() if server.credential else None,
                )
                for server in self._parts.settings.ice_servers
            ],
            limits=messages.Limits(
                message_bytes=self._limits.message_bytes,
                messages_per_second=self._limits.messages_per_second,
                sources=messages.MAX_SOURCES,
                subscriptions=self._parts.settings.limits.subscriptions,
                resume_seconds=int(self._limits.resume_seconds),
                heartbeat_seconds=int(self._limits.heartbeat_seconds),
            ),
            server_time_ms=time.time_ns() // 1_000_000,
        )

    # ---- What goes out ----

    async def _pump_events(self, session: Session) -> None:
        outbox = session.participant.outbox
        signal = Signal.REMOVED
        try:
            while (item := await outbox.get()) is not None:
                message = translate.event(item.seq, item.event)
                if isinstance(message, messages.Closing):
                    signal = _CLOSING_SIGNALS[message.reason]
                await self._send(message)
        except ConnectionError:
            return  # the reader sees it too and ends the socket
        self._end_soon(Signal.OVERFLOWED if outbox.overflowed else signal)
        self._end_session()

    async def _send(self, message: messages.ServerMessage) -> None:
        if not self._ws.closed:
            await self._ws.send_str(messages.render(message).decode())

    async def _watch(self) -> None:
        """Closes a socket that does not join, falls silent, or does not take what it is sent."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._limits.join_seconds)
        self._end_soon(Signal.SLOW_JOIN)
        while not self._ws.closed:
            if loop.time() - self._heard >= self._limits.silence_seconds:
                self._end_soon(Signal.SILENT)
                return
            try:
                async with asyncio.timeout(self._limits.silence_seconds):
                    await self._ws.ping()
            except TimeoutError:
                self._end_soon(Signal.OVERFLOWED)
                return
            except ConnectionError:
                return
            await asyncio.sleep(self._limits.heartbeat_seconds)

    # ---- The end ----

    def _end_soon(self, signal: Signal) -> None:
        """Has the reader say goodbye, which alone can await the client's answer to a close (RFC 6455 section
        7.1.1); a reader that is held up by a deaf client is cut off."""
        actions = self._conversation.signal(signal)
        if not actions:
            return
        self._farewell = actions
        loop = asyncio.get_running_loop()
        if self._listening is not None:
            self._listening.reschedule(loop.time())
        if self._transport is not None:
            loop.call_later(2 * self._limits.close_seconds, self._transport.abort)

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._parts.sessions.end(session)

    def _stop_pump(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None and pump is not asyncio.current_task():
            pump.cancel()

    async def _close(self, code: CloseCode) -> None:
        try:
            async with asyncio.timeout(self._limits.close_seconds):
                await self._ws.close(code=code, message=code.meaning.encode())
        except (TimeoutError, ConnectionError):
            pass  # a client that does not read gets no farewell
        finally:
            if self._transport is not None:
                # A transport that is merely closing waits for a deaf client to take what is buffered.
                self._transport.abort()


def _close_code(error: LoupeError) -> CloseCode | None:  # noqa: PLR0911 - one case each
    match error:
        case Unauthorized():
            return None
        case SessionGone():
            return CloseCode.SESSION_GONE
        case errors.NotPermitted():
            return CloseCode.NOT_PERMITTED
        case errors.Draining():
            return CloseCode.DRAINING
        case errors.RoomFull():
            return CloseCode.ROOM_FULL
        case errors.LimitReached() | RateLimited():
            return CloseCode.TOO_MANY
        case _:
            return CloseCode.TRY_AGAIN_LATER
