"""A desktop's notification service on a real D-Bus: it takes every call, and keeps what came with it."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

NAME = "org.freedesktop.Notifications"
CALL, REPLY = 1, 2
MEMBER, SERIAL, DESTINATION, SENDER, SIGNATURE = 3, 5, 6, 7, 8
PATH, INTERFACE = 1, 2
KINDS = {PATH: b"o", INTERFACE: b"s", MEMBER: b"s", SERIAL: b"u", DESTINATION: b"s", SENDER: b"s", SIGNATURE: b"g"}


class Desktop:
    """`calls`: the method and the raw body of each."""

    def __init__(self, folder: Path) -> None:
        if not all(map(shutil.which, ("dbus-daemon", "notify-send"))):
            pytest.skip("it takes dbus-daemon and notify-send")
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / "bus"
        words = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={path}"]
        self.daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.daemon.stdout and self.daemon.stdout.readline().startswith(b"unix:path=")
        self.calls: list[tuple[str, bytes]] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        assert self.socket.recv(1000).startswith(b"OK")
        self.socket.sendall(b"BEGIN\r\n")
        self.serial = 0
        bus: dict[int, str | int] = {PATH: "/", INTERFACE: "org.freedesktop.DBus", DESTINATION: "org.freedesktop.DBus"}
        self._send(CALL, bus | {MEMBER: "Hello"})
        self._send(CALL, bus | {MEMBER: "RequestName", SIGNATURE: "su"}, _padded(_text(NAME)) + struct.pack("<I", 0))
        assert any(self._take() for _ in range(4))  # the replies, and that the name is ours
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.daemon.kill()
        self.daemon.wait()
        self.thread.join(20)
        self.socket.close()

    def _serve(self) -> None:
        try:
            while True:
                self._take()
        except (OSError, EOFError):
            pass  # the bus is gone

    def _take(self) -> bool:
        """One message; whether it says that the name is ours."""
        head = self._read(16)
        length, serial, fields = struct.unpack("<4xIII", head)
        known = _fields(self._read(-(-fields // 8) * 8)[:fields])
        body = self._read(length)
        if head[1] == CALL:
            method = str(known[MEMBER])
            self.calls.append((method, body))
            said = b"".join(_padded(_text(word)) for word in ("desktop", "test", "1", "1.2"))
            signature, reply = {
                "GetServerInformation": ("ssss", said),
                "GetCapabilities": ("as", struct.pack("<I", 0)),
            }.get(method, ("u", struct.pack("<I", 7)))
            back = {SERIAL: serial, DESTINATION: str(known[SENDER]), SIGNATURE: signature}
            self._send(REPLY, back, reply)
        return known.get(MEMBER) == "NameAcquired" and NAME.encode() in body

    def _send(self, kind: int, fields: dict[int, str | int], body: bytes = b"") -> None:
        self.serial += 1
        drawn = b""
        for code, value in sorted(fields.items()):
            drawn = _padded(drawn, 8) + bytes((code, 1)) + KINDS[code] + b"\0"
            if isinstance(value, int):
                drawn += struct.pack("<I", value)
            elif code == SIGNATURE:
                drawn += bytes((len(value),)) + value.encode() + b"\0"
            else:
                drawn += _text(value)
        head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), self.serial, len(drawn))
        self.socket.sendall(head + _padded(drawn, 8) + body)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


def _padded(data: bytes, to: int = 4) -> bytes:
    return data + b"\0" * (-len(data) % to)


def _fields(data: bytes) -> dict[int, str | int]:
    """Those of a header that are texts or numbers."""
    found: dict[int, str | int] = {}
    at = 0
    while at < len(data):
        at += -at % 8
        code, kind = data[at], data[at + 2 : at + 3]
        at += 4
        if kind == b"u":
            found[code] = struct.unpack_from("<I", data, at)[0]
            at += 4
        elif kind == b"g":
            found[code] = data[at + 1 : at + 1 + data[at]].decode()
            at += data[at] + 2
        else:
            length = struct.unpack_from("<I", data, at)[0]
            found[code] = data[at + 4 : at + 4 + length].decode()
            at += length + 5
    return found
