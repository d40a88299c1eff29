"""Request heads that are all alike: everything that does not change between objects is written once.

A job that moves many small objects sends the same head thousands of times within one second: only the path, one header
(a checksum, an ETag), the body's length and its hash differ. A `Skeleton` holds the rest, ready to be filled: the bytes
are those of `http1.encode_head`, and tests hold the two equal. Filling costs 3.5 µs where the general encoder takes 9.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.http1 import USER_AGENT
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.http1 import shape_of
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.sigv4 import trim_value

if TYPE_CHECKING:
    from orbit_fast.core.encode_headers import Headers

_HASH: Final = "x-amz-content-sha256"
_NOTHING: Final = "%.0s"
"""Takes a value and writes nothing."""


class Skeleton:
    """The heads of one method to one site, signed by one identity within one second.

    Attributes:
        prefix: what stands before ``/key``.
    """

    __slots__ = ("_canonical", "_inner", "_outer", "_wire", "prefix")

    def __init__(
        self,
        method: str,
        endpoint: Endpoint,
        signer: Signer,
        *,
        headers: Headers,
        varying: str,
        amz_date: str,
    ) -> None:
        """Write down what will not change.

        Args:
            method: ``PUT`` or ``GET``.
            endpoint: where they go.
            signer: who signs.
            headers: of every request, in the order in which they are sent; of the varying one the value is ignored.
            varying: name of the one among them that has another value each time, or ``''``. It must come before
                ``x-amz-content-sha256`` in the alphabet.
            amz_date: what `format_amz_date` gives.

        Raises:
            InvalidConfig: a header that HTTP cannot carry, or an unusable endpoint.
        """
        assert varying < _HASH, varying
        # For its checks: of the endpoint, of the headers' names and values.
        request = Request(operation="", method=method, key="k", headers=headers)
        encode_head(request, endpoint, signer, amz_date=amz_date, content_length=0, payload_sha256="")
        names = tuple([name for name, _ in headers])
        if any("%" in name for name in names):
            raise InvalidConfig("a header's name has a % in it")  # it would have to be escaped twice
        own = ("%s", amz_date, *((_fixed(signer.token),) if signer.token else ()))
        shape = shape_of(names, len(own), signer.token_name)
        sent = tuple(["%s" if name == varying else _fixed(value.strip(" \t")) for name, value in headers])
        signed = tuple(["%s" if name == varying else _fixed(trim_value(value)) for name, value in headers])
        host = _fixed(endpoint.host_header)
        lines = shape.canonical % shape.pick((host, *own, *signed))
        authorization, self._inner, self._outer = signer.within(amz_date, shape.signed_names)
        value = "" if varying else _NOTHING
        length = "content-length: %s\r\n" if method == "PUT" else _NOTHING
        self.prefix = endpoint.path_prefix + "/"
        self._canonical = f"{method}\n%s\n\n{value}{lines}\n{shape.signed_names}\n%s"
        self._wire = (
            f"{method} %s HTTP/1.1\r\nhost: {host}\r\naccept-encoding: identity\r\nuser-agent: {USER_AGENT}\r\n"
            f"{length}{shape.wire % (*own, *sent)}{value}authorization: {_fixed(authorization)}%s\r\n\r\n"
        )

    def fill(self, path: str, value: str, length: int, payload_sha256: str) -> bytes:
        """The head of one request.

        Args:
            path: prefix and encoded key.
            value: of the varying header: printable ASCII without spaces; ``''`` where there is none.
            length: bytes of the body.
            payload_sha256: hex digest of the body, or ``UNSIGNED-PAYLOAD``.
        """
        digest = sha256((self._canonical % (path, value, payload_sha256, payload_sha256)).encode()).hexdigest()
        inner = self._inner.copy()
        inner.update(digest.encode("ascii"))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return (self._wire % (path, length, payload_sha256, value, outer.hexdigest())).encode("latin-1")


def _fixed(text: str) -> str:
    """`text` as it stands in a ``%`` format."""
    return text.replace("%", "%%")
