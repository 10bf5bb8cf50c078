"""What a server that echoes must make of what clients send: cases from RFC 6455, in a table.

The groups and most numbers are those of the Autobahn test suite: 1 sizes, 2 pings and pongs,
3 reserved bits, 4 opcodes, 5 fragments, 6 UTF-8, 7 closing, 9 and 10 larger messages in pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .frames_of_clients import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    client_frame,
    close,
    text,
)

PROTOCOL_ERROR = 1002
INVALID_DATA = 1007

HELLO = text("Hello, world!")
HELLO_BACK = Frame(TEXT, b"Hello, world!")


@dataclass(frozen=True)
class Case:
    """What a client sends, and what it must get.

    Attributes:
        chop: how many bytes arrive at once; 0 for all.
        back: the frames it gets before the close frame.
        code: what the close frame tells; ``None`` for one without a code.
        closes: the client's closing handshake is still to be sent after this.
        limit: how much a message may hold.
    """

    name: str
    send: bytes
    back: tuple[Frame, ...] = ()
    code: int | None = 1000
    chop: int = 0
    closes: bool = False
    limit: int = 65536

    @property
    def sent(self) -> bytes:
        return self.send + (close() if self.closes else b"")

    @property
    def received(self) -> list[Frame | int | None]:
        return [*self.back, self.code]


def good(name: str, send: bytes, *back: Frame, chop: int = 0, limit: int = 65536) -> Case:
    return Case(name, send, back, 1000, chop, closes=True, limit=limit)


def bad(name: str, send: bytes, *back: Frame, code: int = PROTOCOL_ERROR, chop: int = 0) -> Case:
    return Case(name, send, back, code, chop)


def fragments(*pieces: bytes, opcode: int = TEXT, between: bytes = b"") -> bytes:
    """A message in as many frames, with other frames ``between`` any two."""
    last = len(pieces) - 1
    return between.join(
        client_frame(CONTINUATION if number else opcode, piece, fin=number == last)
        for number, piece in enumerate(pieces)
    )


def octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def sizes() -> Iterator[Case]:
    for group, opcode, filler in ((1, TEXT, b"*"), (2, BINARY, b"\xfe")):
        for number, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
            payload = filler * size
            yield good(f"1.{group}.{number}", client_frame(opcode, payload), Frame(opcode, payload))
        payload = filler * 65536
        yield good(f"1.{group}.8", client_frame(opcode, payload), Frame(opcode, payload), chop=997)
    yield bad("1.length-in-2-bytes", text("a", wide=2))
    yield bad("1.length-in-8-bytes", text("a" * 126, wide=8))
    yield bad("1.negative-length", client_frame(BINARY, announce=2**63))
    yield bad("1.not-masked", client_frame(TEXT, b"Hello", masked=False))
    yield bad("1.ping-not-masked", HELLO + client_frame(PING, b"", masked=False), HELLO_BACK)


def pings() -> Iterator[Case]:
    payloads = (b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125)
    for number, payload in enumerate(payloads, 1):
        yield good(f"2.{number}", client_frame(PING, payload), Frame(PONG, payload))
    yield bad("2.5", client_frame(PING, b"\xfe" * 126))
    yield good("2.6", client_frame(PING, b"\xfe" * 125), Frame(PONG, b"\xfe" * 125), chop=1)
    yield good("2.7", client_frame(PONG))
    yield good("2.8", client_frame(PONG, b"unasked"))
    yield good(
        "2.9", client_frame(PONG, b"unasked") + client_frame(PING, b"asked"), Frame(PONG, b"asked")
    )
    ten = b"".join(client_frame(PING, b"payload-%d" % number) for number in range(10))
    back = [Frame(PONG, b"payload-%d" % number) for number in range(10)]
    yield good("2.10", ten, *back)
    yield good("2.11", ten, *back, chop=1)
    yield bad("2.pong-too-long", client_frame(PONG, b"\xfe" * 126))


def reserved_bits() -> Iterator[Case]:
    ping = client_frame(PING)
    yield bad("3.1", text("a", rsv=1))
    yield bad("3.2", HELLO + text("a", rsv=2) + ping, HELLO_BACK)
    yield bad("3.3", HELLO + text("a", rsv=3) + ping, HELLO_BACK, chop=19)
    yield bad("3.4", HELLO + text("a", rsv=4) + ping, HELLO_BACK, chop=1)
    yield bad("3.5", client_frame(BINARY, b"\x00" * 8, rsv=5))
    yield bad("3.6", client_frame(PING, b"a", rsv=6))
    yield bad("3.7", client_frame(CLOSE, rsv=7))


def opcodes() -> Iterator[Case]:
    ping = client_frame(PING)
    for group, numbers in ((1, range(3, 8)), (2, range(11, 16))):
        for case, opcode in enumerate(numbers, 1):
            payload = b"" if case % 2 else b"reserved"
            frame = client_frame(opcode, payload)
            yield bad(f"4.{group}.{case}", frame + ping)
            yield bad(f"4.{group}.{case}-after", HELLO + frame + ping, HELLO_BACK)
            yield bad(f"4.{group}.{case}-octets", HELLO + frame + ping, HELLO_BACK, chop=1)


def fragmentation() -> Iterator[Case]:
    two = (b"fragment1", b"fragment2")
    back = Frame(TEXT, b"fragment1fragment2")
    ping, pong = client_frame(PING, b"p"), Frame(PONG, b"p")
    yield bad("5.1", fragments(*two, opcode=PING))
    yield bad("5.2", fragments(*two, opcode=PONG))
    for number, chop in ((3, 0), (4, 15), (5, 1)):
        yield good(f"5.{number}", fragments(*two), back, chop=chop)
    for number, chop in ((6, 0), (7, 15), (8, 1)):
        yield good(f"5.{number}", fragments(*two, between=ping), pong, back, chop=chop)
    for number, fin, chop in (
        (9, True, 0),
        (10, True, 30),
        (11, True, 1),
        (12, False, 0),
        (13, False, 30),
        (14, False, 1),
    ):
        alone = client_frame(CONTINUATION, b"non-continuation payload", fin=fin)
        yield bad(f"5.{number}", alone + HELLO, chop=chop)
    loose = client_frame(CONTINUATION, b"fragment3", fin=False) + text("fragment4")
    yield bad("5.15", fragments(*two) + loose, back)
    yield bad("5.16", (client_frame(CONTINUATION, b"a", fin=False) + fragments(*two)) * 2)
    yield bad("5.17", (client_frame(CONTINUATION, b"a") + fragments(*two)) * 2)
    yield bad("5.18", text("fragment1", fin=0) + text("fragment2"))
    five = [b"fragment%d" % number for number in range(1, 6)]
    yield good("5.19", fragments(*five, between=ping), *[pong] * 4, Frame(TEXT, b"".join(five)))
    yield good(
        "5.20", fragments(*five, between=ping), *[pong] * 4, Frame(TEXT, b"".join(five)), chop=1
    )
    yield good("5.two-messages", fragments(*two) + fragments(*two), back, back)
    yield good("5.binary", fragments(*two, opcode=BINARY), Frame(BINARY, b"".join(two)))
    yield bad("5.binary-within-text", text("a", fin=0) + client_frame(BINARY, b"b"))


VALID = {
    "6.2": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    "6.5": "κόσμε".encode(),
    "6.6.2": "κ".encode(),
    "6.6.5": "κό".encode(),
    "6.6.7": "κόσ".encode(),
    "6.6.9": "κόσμ".encode(),
    "6.7.1": b"\x00",
    "6.7.2": b"\xc2\x80",
    "6.7.3": b"\xe0\xa0\x80",
    "6.7.4": b"\xf0\x90\x80\x80",
    "6.9.1": b"\x7f",
    "6.9.2": b"\xdf\xbf",
    "6.9.3": b"\xef\xbf\xbf",
    "6.9.4": b"\xf4\x8f\xbf\xbf",
    "6.11.1": b"\xed\x9f\xbf",
    "6.11.2": b"\xee\x80\x80",
    "6.11.3": b"\xef\xbf\xbd",
    "6.11.4": b"\xf4\x8f\xbf\xbf",
    **{
        f"6.22.{plane}": chr(plane * 0x10000 + last).encode()
        for plane in range(17)
        for last in (0xFFFE,)
    },
    "6.23.1": b"\xef\xbf\xb9",
    "6.23.2": b"\xef\xbf\xba",
    "6.23.3": b"\xef\xbf\xbb",
    "6.23.4": b"\xef\xbf\xbc",
    "6.23.5": b"\xef\xbf\xbd",
    "6.23.6": b"\xef\xbf\xbe",
    "6.23.7": b"\xef\xbf\xbf",
}

INVALID = {
    "6.3": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    "6.6.1": b"\xce",
    "6.6.3": b"\xce\xba\xe1",
    "6.6.4": b"\xce\xba\xe1\xbd",
    "6.6.6": b"\xce\xba\xe1\xbd\xb9\xcf",
    "6.6.8": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce",
    "6.6.10": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce",
    "6.8.1": b"\xf8\x88\x80\x80\x80",
    "6.8.2": b"\xfc\x84\x80\x80\x80\x80",
    "6.10.1": b"\xf7\xbf\xbf\xbf",
    "6.10.2": b"\xfb\xbf\xbf\xbf\xbf",
    "6.10.3": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "6.11.5": b"\xf4\x90\x80\x80",
    "6.12.1": b"\x80",
    "6.12.2": b"\xbf",
    **{f"6.12.{number + 1}": b"\x80\xbf" * number for number in range(2, 7)},
    "6.12.8": bytes(range(0x80, 0xC0)),
    "6.13.1": b" ".join(bytes((start,)) for start in range(0xC0, 0xE0)) + b" ",
    "6.13.2": b" ".join(bytes((start,)) for start in range(0xE0, 0xF0)) + b" ",
    "6.13.3": b" ".join(bytes((start,)) for start in range(0xF0, 0xF8)) + b" ",
    "6.13.4": b"\xf8 \xf9 \xfa \xfb ",
    "6.13.5": b"\xfc \xfd ",
    "6.14.1": b"\xc0",
    "6.14.2": b"\xe0\x80",
    "6.14.3": b"\xf0\x80\x80",
    "6.14.4": b"\xf8\x80\x80\x80",
    "6.14.5": b"\xfc\x80\x80\x80\x80",
    "6.14.6": b"\xdf",
    "6.14.7": b"\xef\xbf",
    "6.14.8": b"\xf7\xbf\xbf",
    "6.14.9": b"\xfb\xbf\xbf\xbf",
    "6.14.10": b"\xfd\xbf\xbf\xbf\xbf",
    "6.15": b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf",
    "6.16.1": b"\xfe",
    "6.16.2": b"\xff",
    "6.16.3": b"\xfe\xfe\xff\xff",
    "6.17.1": b"\xc0\xaf",
    "6.17.2": b"\xe0\x80\xaf",
    "6.17.3": b"\xf0\x80\x80\xaf",
    "6.17.4": b"\xf8\x80\x80\x80\xaf",
    "6.17.5": b"\xfc\x80\x80\x80\x80\xaf",
    "6.18.1": b"\xc1\xbf",
    "6.18.2": b"\xe0\x9f\xbf",
    "6.18.3": b"\xf0\x8f\xbf\xbf",
    "6.18.4": b"\xf8\x87\xbf\xbf\xbf",
    "6.18.5": b"\xfc\x83\xbf\xbf\xbf\xbf",
    "6.19.1": b"\xc0\x80",
    "6.19.2": b"\xe0\x80\x80",
    "6.19.3": b"\xf0\x80\x80\x80",
    "6.19.4": b"\xf8\x80\x80\x80\x80",
    "6.19.5": b"\xfc\x80\x80\x80\x80\x80",
    **{
        f"6.20.{number}": chr(code).encode("utf-8", "surrogatepass")
        for number, code in enumerate((0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF), 1)
    },
    **{
        f"6.21.{number}": (chr(high) + chr(low)).encode("utf-8", "surrogatepass")
        for number, (high, low) in enumerate(
            (high, low) for high in (0xD800, 0xDB7F, 0xDB80, 0xDBFF) for low in (0xDC00, 0xDFFF)
        )
    },
}


def utf8() -> Iterator[Case]:
    yield good("6.1.1", text(""), Frame(TEXT, b""))
    yield good("6.1.2", fragments(b"", b"", b""), Frame(TEXT, b""))
    yield good("6.1.3", fragments(b"", b"middle", b""), Frame(TEXT, b"middle"))
    for name, data in VALID.items():
        back = Frame(TEXT, data)
        yield good(f"{name}-whole", text(data), back)
        yield good(f"{name}-fragments", fragments(*octets(data)), back)
        yield good(f"{name}-octets", text(data), back, chop=1)
    for name, data in INVALID.items():
        yield bad(f"{name}-whole", text(data), code=INVALID_DATA)
        yield bad(f"{name}-fragments", fragments(*octets(data)), code=INVALID_DATA)
        yield bad(f"{name}-octets", text(data), code=INVALID_DATA, chop=1)
        back = Frame(BINARY, data)
        yield good(f"{name}-binary", client_frame(BINARY, data), back)
    yield bad("6.split-end", text(b"\xe2\x82", fin=0) + client_frame(0, b""), code=INVALID_DATA)
    yield bad("6.two-messages", text(b"\xe2\x82") + text(b"\xac"), code=INVALID_DATA)


def closing() -> Iterator[Case]:
    ping = client_frame(PING)
    yield Case("7.1.1", HELLO + close(), (HELLO_BACK,))
    yield Case("7.1.2", close() + close(3000))
    yield Case("7.1.3", close() + ping)
    yield Case("7.1.4", close() + HELLO)
    yield Case("7.1.5", text("a", fin=0) + close() + client_frame(CONTINUATION, b"b"))
    large = b"a" * 65536
    yield Case("7.1.6", text(large) + HELLO + close() + ping, (Frame(TEXT, large), HELLO_BACK))
    yield Case("7.3.1", close(None), code=None)
    yield bad("7.3.2", client_frame(CLOSE, b"a"))
    yield Case("7.3.3", close())
    yield Case("7.3.4", close(1000, b"Hello"))
    yield Case("7.3.5", close(1000, b"*" * 123))
    yield bad("7.3.6", close(1000, b"*" * 124))
    yield bad("7.5.1", close(1000, INVALID["6.3"]), code=INVALID_DATA)
    yield bad("7.fragment", client_frame(CLOSE, struct.pack("!H", 1000), fin=False))
    codes = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for number, code in enumerate(codes, 1):
        yield Case(f"7.7.{number}", close(code), code=code)
        yield Case(f"7.7.{number}-octets", close(code, b"why"), code=code, chop=1)
    wrong = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    for number, code in enumerate(wrong, 1):
        yield bad(f"7.9.{number}", close(code))
        yield bad(f"7.13.{number}", close(code, b"why"))


def larger() -> Iterator[Case]:
    limit = 256 * 1024
    for opcode, filler in ((TEXT, "é".encode()), (BINARY, b"\x00\xff")):
        whole = filler * (limit // 2)
        for number, piece in enumerate((64, 256, 1024, 4096, 16384, limit), 1):
            pieces = [whole[at : at + piece] for at in range(0, limit, piece)]
            yield good(
                f"9.{opcode}.{number}",
                fragments(*pieces, opcode=opcode),
                Frame(opcode, whole),
                limit=limit,
            )
            yield good(
                f"9.{opcode}.{number}-chopped",
                client_frame(opcode, whole),
                Frame(opcode, whole),
                chop=piece + 1,
                limit=limit,
            )
    payload = b"*" * 65536
    pieces = [payload[at : at + 1300] for at in range(0, 65536, 1300)]
    yield good("10.1.1", fragments(*pieces), Frame(TEXT, payload))


CASES = [
    *sizes(),
    *pings(),
    *reserved_bits(),
    *opcodes(),
    *fragmentation(),
    *utf8(),
    *closing(),
    *larger(),
]
