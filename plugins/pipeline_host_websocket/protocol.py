"""What a client sends, as the server's end of a WebSocket reads it (RFC 6455): no I/O.

Bytes go in; messages, answers to pings and the end come out. Frames are parsed by wsproto.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from wsproto.frame_protocol import CloseReason, Frame, FrameDecoder, Opcode, ParseFailed

from pipeline_host_websocket.frames import PONG, close_frame, encode_frame

MESSAGE_LIMIT: Final = 64 * 1024
"""The most bytes that a client's message or frame may hold, where nothing else is said."""

_INVALID_DATA: Final = CloseReason.INVALID_FRAME_PAYLOAD_DATA
_TOO_BIG: Final = CloseReason.MESSAGE_TOO_BIG

_DEFINED_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
"""The codes a close frame may carry of those that are defined (RFC 6455, 7.4.1, and IANA)."""
_FREE_CODES: Final = range(3000, 5000)
"""Those for libraries and applications (RFC 6455, 7.4.2)."""


class Message(NamedTuple):
    """A whole message; ``text`` says that ``data`` is UTF-8, checked."""

    data: bytes
    text: bool


class Answer(NamedTuple):
    """A frame to be sent: a pong."""

    frame: bytes


class Pong(NamedTuple):
    """The client is still there."""

    data: bytes


class End(NamedTuple):
    """The connection's end: ``frame`` is to be sent as the last; nothing that follows is read."""

    frame: bytes


Event: TypeAlias = Message | Answer | Pong | End


class Protocol:
    """One client's side of a connection.

    What is needed to parse exists only while a frame or a message is unfinished, so that an idle
    connection costs next to nothing.

    Args:
        limit: the most bytes that a message may hold. It is enforced on what a frame's head
            announces, before any of the frame is kept.
    """

    __slots__ = ("_limit", "_parser", "ended")

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._parser: _Parser | None = None
        self.ended = False
        """The closing handshake was begun or answered; what arrives from now on is dropped."""

    @property
    def idle(self) -> bool:
        """Whether nothing is unfinished."""
        return self._parser is None

    def receive(self, data: bytes) -> Iterator[Event]:
        """What follows from bytes that arrived. To be read to its end before the next call."""
        if self.ended:
            return
        parser = self._parser = self._parser or _Parser(self._limit)
        try:
            for event in parser.receive(data):
                self.ended = isinstance(event, End)
                yield event
        except ParseFailed as error:
            self.ended = True
            yield End(close_frame(int(error.code), str(error)))
        if self.ended or parser.idle:
            self._parser = None


class _Parser:
    """Frames, and the message that they make up."""

    __slots__ = ("_decoder", "_limit", "_message", "_opcode", "_utf8")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._decoder = FrameDecoder(client=False)
        self._opcode: Opcode | None = None
        self._message = bytearray()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    @property
    def idle(self) -> bool:
        decoder = self._decoder
        return self._opcode is None and decoder.header is None and not len(decoder.buffer)

    def receive(self, data: bytes) -> Iterator[Event]:
        self._decoder.receive_bytes(data)
        while (frame := self._next_frame()) is not None:
            event = self._take(frame)
            if event is not None:
                yield event
            if isinstance(event, End):
                return

    def _next_frame(self) -> Frame | None:
        """What has arrived of the next frame: all of a control frame, a part of any other."""
        decoder = self._decoder
        begins = decoder.header is None
        if begins and not decoder.parse_header():
            return None
        if begins and (header := decoder.header) is not None:
            self._check_begin(header.opcode, header.payload_len)
        return decoder.process_buffer()

    def _check_begin(self, opcode: Opcode, length: int) -> None:
        """Refuse a frame that has no place here, or is too big, by its head alone."""
        if opcode.iscontrol():
            return
        if opcode is Opcode.CONTINUATION:
            if self._opcode is None:
                raise ParseFailed("a continuation of nothing")
        elif self._opcode is not None:
            raise ParseFailed("expected the continuation of a message")
        else:
            self._opcode = opcode
        if len(self._message) + length > self._limit:
            raise ParseFailed(f"a message may hold {self._limit} bytes", _TOO_BIG)

    def _take(self, frame: Frame) -> Event | None:
        payload = frame.payload
        assert isinstance(payload, bytes)
        if frame.opcode is Opcode.PING:
            return Answer(encode_frame(PONG, payload))
        if frame.opcode is Opcode.CLOSE:
            return End(_close_answer(payload))
        if frame.opcode is Opcode.PONG:
            return Pong(payload)
        return self._collect(payload, final=frame.frame_finished and frame.message_finished)

    def _collect(self, payload: bytes, *, final: bool) -> Message | None:
        text = self._opcode is Opcode.TEXT
        if text:
            self._check_utf8(payload, final=final)
        self._message += payload
        if not final:
            return None
        message = Message(bytes(self._message), text)
        self._message = bytearray()
        self._opcode = None
        return message

    def _check_utf8(self, payload: bytes, *, final: bool) -> None:
        """Refuse what can't become UTF-8 any more, as soon as that is so."""
        try:
            self._utf8.decode(payload, final)
        except UnicodeDecodeError:
            raise ParseFailed("text that isn't UTF-8", _INVALID_DATA) from None


def _close_answer(payload: bytes) -> bytes:
    """The close frame that answers one with this payload: its code, without its reason."""
    if not payload:
        return close_frame()
    if len(payload) == 1:
        raise ParseFailed("a close code has two bytes")
    (code,) = struct.unpack_from("!H", payload)
    if code not in _DEFINED_CODES and code not in _FREE_CODES:
        raise ParseFailed(f"{code} is no close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise ParseFailed("a reason that isn't UTF-8", _INVALID_DATA) from None
    return close_frame(code)
