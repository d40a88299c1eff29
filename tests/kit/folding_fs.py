"""A file system in memory that takes names for one that differ in case, or in normal form: as macOS's does.

It speaks FUSE with the kernel by itself, so that nothing has to be installed. Run as a program it mounts itself over a
directory, says ``mounted`` on a line, and serves until its stdin ends::

    python tests/kit/folding_fs.py DIRECTORY case,forms

Enough is there for copies: files, directories, renames (exclusive ones too), links, times, modes. What is opened stays
until the end. A rename over a name in another spelling keeps the spelling that was there, as ext4's does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import stat
import struct
import sys
import time
import unicodedata
from collections.abc import Callable
from typing import Final

_IN: Final = struct.Struct("<IIQQIIII")
_OUT: Final = struct.Struct("<IiQ")
_ATTR: Final = struct.Struct("<6Q10I")
_SETATTR: Final = struct.Struct("<II6Q8I")
_MAX_WRITE: Final = 128 << 10
_NOREPLACE: Final = 1
_SET_MODE, _SET_SIZE, _SET_MTIME, _SET_MTIME_NOW = 1, 8, 32, 256
_NO_REPLY: Final = frozenset({2, 36, 42})  # FORGET, INTERRUPT, BATCH_FORGET
_SECOND: Final = 1_000_000_000


class Node:
    """A file or a directory."""

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = mode
        self.links = 1
        self.data = bytearray()
        self.entries: dict[str, tuple[bytes, Node]] = {}
        self.mtime_ns = self.ctime_ns = time.time_ns()

    def attributes(self) -> bytes:
        """The kernel's ``fuse_attr``."""
        size = len(self.data)
        times = (self.mtime_ns, self.mtime_ns, self.ctime_ns)
        return _ATTR.pack(
            self.number,
            size,
            -(-size // 512),
            *(each // _SECOND for each in times),
            *(each % _SECOND for each in times),
            self.mode,
            self.links,
            *(0, 0, 0, 4096, 0),
        )


class FoldingFileSystem:
    """Answers the kernel's requests.

    Args:
        fold: names are one when this is equal of them.
        stored: what a new name becomes.
    """

    def __init__(self, fold: Callable[[bytes], str], stored: Callable[[bytes], bytes]) -> None:
        self._fold = fold
        self._stored = stored
        self._nodes = {1: Node(1, stat.S_IFDIR | 0o755)}
        self._does: dict[int, Callable[[Node, bytes], bytes]] = {
            1: self._lookup,
            3: lambda node, _: struct.pack("<QII", 0, 0, 0) + node.attributes(),
            4: self._set,
            9: lambda node, body: self._entry(self._make(node, _name(body[8:]), stat.S_IFDIR | 0o755)),
            10: self._unlink,
            11: self._unlink,
            12: lambda node, body: self._rename(node, body[:8], 0, body[8:]),
            13: self._link,
            14: _opened,
            15: _read,
            16: _write,
            17: lambda *_: struct.pack("<5Q4I24x", 1 << 20, 1 << 19, 1 << 19, 1 << 20, 1 << 19, 4096, 255, 4096, 0),
            18: _nothing,
            20: _nothing,
            25: _nothing,
            26: _begun,
            27: _opened,
            28: _listed,
            29: _nothing,
            30: _nothing,
            35: self._create,
            45: lambda node, body: self._rename(node, body[:8], int.from_bytes(body[8:12], "little"), body[16:]),
        }

    def answer(self, request: bytes) -> bytes | None:
        """The reply to a request, or None where the kernel waits for none."""
        _, operation, unique, number, *_ = _IN.unpack_from(request)
        if operation in _NO_REPLY:
            return None
        failed, reply = 0, b""
        try:
            reply = self._does.get(operation, _unknown)(self._nodes[number or 1], request[_IN.size :])
        except OSError as error:
            failed = error.errno or errno.EIO
        return _OUT.pack(_OUT.size + len(reply), -failed, unique) + reply

    def _lookup(self, node: Node, body: bytes) -> bytes:
        return self._entry(self._find(node, _name(body)))

    def _find(self, node: Node, name: bytes) -> Node:
        found = node.entries.get(self._fold(name))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "not there")
        return found[1]

    def _make(self, parent: Node, name: bytes, mode: int) -> Node:
        node = Node(len(self._nodes) + 1, mode)
        self._put(parent, name, node)
        self._nodes[node.number] = node
        return node

    def _put(self, parent: Node, name: bytes, node: Node) -> None:
        if self._fold(name) in parent.entries:
            raise FileExistsError(errno.EEXIST, "there already")
        parent.entries[self._fold(name)] = (self._stored(name), node)
        parent.mtime_ns = parent.ctime_ns = node.ctime_ns = time.time_ns()

    def _entry(self, node: Node) -> bytes:
        return struct.pack("<4QII", node.number, 0, 0, 0, 0, 0) + node.attributes()

    def _set(self, node: Node, body: bytes) -> bytes:
        which, _, _, size, _, _, mtime, _, _, mtime_ns, _, mode, *_ = _SETATTR.unpack_from(body)
        if which & _SET_MODE:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        if which & _SET_SIZE:
            del node.data[size:]
            node.data.extend(bytes(size - len(node.data)))
        if which & (_SET_MTIME | _SET_MTIME_NOW):
            node.mtime_ns = time.time_ns() if which & _SET_MTIME_NOW else mtime * _SECOND + mtime_ns
        node.ctime_ns = time.time_ns()
        return struct.pack("<QII", 0, 0, 0) + node.attributes()

    def _unlink(self, node: Node, body: bytes) -> bytes:
        found = self._find(node, _name(body))
        if found.entries:
            raise OSError(errno.ENOTEMPTY, "not empty")
        found.links -= 1
        del node.entries[self._fold(_name(body))]
        return b""

    def _rename(self, node: Node, target: bytes, flags: int, names: bytes) -> bytes:
        old, new = names.split(b"\0")[:2]
        there, moved = self._nodes[int.from_bytes(target, "little")], self._find(node, old)
        found = there.entries.get(self._fold(new))
        if found is not None and flags & _NOREPLACE:
            raise FileExistsError(errno.EEXIST, "there already")
        if found is not None and found[1] is not moved and stat.S_ISDIR(found[1].mode):
            raise IsADirectoryError(errno.EISDIR, "a directory")
        del node.entries[self._fold(old)]
        there.entries[self._fold(new)] = (found[0] if found is not None else self._stored(new), moved)
        moved.ctime_ns = node.mtime_ns = there.mtime_ns = time.time_ns()
        return b""

    def _link(self, node: Node, body: bytes) -> bytes:
        linked = self._nodes[int.from_bytes(body[:8], "little")]
        self._put(node, _name(body[8:]), linked)
        linked.links += 1
        return self._entry(linked)

    def _create(self, node: Node, body: bytes) -> bytes:
        mode, umask = struct.unpack_from("<4xII", body)
        made = self._make(node, _name(body[16:]), stat.S_IFREG | (stat.S_IMODE(mode) & ~umask))
        return self._entry(made) + _opened(made, b"")


def fold_with(ways: str) -> Callable[[bytes], str]:
    """How names are folded: ``case``, ``forms``, with commas between them; ``apart`` says how they are stored."""

    def fold(name: bytes) -> str:
        text = name.decode("utf-8", "surrogateescape")
        if "forms" in ways:
            text = unicodedata.normalize("NFD", text)
        return text.casefold() if "case" in ways else text

    return fold


def store_with(ways: str) -> Callable[[bytes], bytes]:
    """What is stored of a name: itself, or with accents taken ``apart``, as HFS+ does; ``lower`` as FAT may."""

    def stored(name: bytes) -> bytes:
        text = name.decode("utf-8", "surrogateescape")
        text = unicodedata.normalize("NFD", text) if "apart" in ways else text
        return (text.lower() if "lower" in ways else text).encode("utf-8", "surrogateescape")

    return stored


def serve(directory: str, ways: str) -> None:
    """Mount and answer until stdin ends."""
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    if libc.mount(b"folding", os.fsencode(directory), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    sys.stdout.write("mounted\n")
    sys.stdout.flush()
    system = FoldingFileSystem(fold_with(ways), store_with(ways))
    while True:
        ready, _, _ = select.select([device, 0], [], [])
        if 0 in ready and not os.read(0, 1):
            return
        if device in ready:
            reply = system.answer(os.read(device, _MAX_WRITE + 4096))
            if reply is not None:
                os.write(device, reply)


def _name(body: bytes) -> bytes:
    return body[: body.index(0)]


def _unknown(_node: Node, _body: bytes) -> bytes:
    raise OSError(errno.ENOSYS, "not here")


def _nothing(_node: Node, _body: bytes) -> bytes:
    return b""


def _begun(_node: Node, _body: bytes) -> bytes:
    return struct.pack("<4IHHII36x", 7, 31, 0, 0, 12, 9, _MAX_WRITE, 1)


def _opened(_node: Node, _body: bytes) -> bytes:
    return struct.pack("<QII", 0, 0, 0)


def _read(node: Node, body: bytes) -> bytes:
    offset, size = struct.unpack_from("<8xQI", body)
    return bytes(node.data[offset : offset + size])


def _write(node: Node, body: bytes) -> bytes:
    offset, size = struct.unpack_from("<8xQI", body)
    node.data.extend(bytes(max(0, offset - len(node.data))))
    node.data[offset : offset + size] = body[40 : 40 + size]
    node.mtime_ns = node.ctime_ns = time.time_ns()
    return struct.pack("<II", size, 0)


def _listed(node: Node, body: bytes) -> bytes:
    offset, size = struct.unpack_from("<8xQI", body)
    listed = b""
    for place, (name, each) in enumerate(list(node.entries.values())[offset:], offset + 1):
        row = struct.pack("<QQII", each.number, place, len(name), each.mode >> 12) + name
        row += bytes(-len(row) % 8)
        if len(listed) + len(row) > size:
            break
        listed += row
    return listed


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
