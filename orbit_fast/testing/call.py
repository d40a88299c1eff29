"""What an operation is given."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.settings import ServerSettings
from orbit_fast.testing.store import Bucket
from orbit_fast.testing.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated request, its body received and verified, and the state it may change."""

    request: HttpRequest
    store: Store
    settings: ServerSettings

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers."""
        return self.request.headers

    @property
    def query(self) -> dict[str, str]:
        """The request's decoded query."""
        return self.request.query

    @property
    def key(self) -> str:
        """The object key."""
        return self.request.key

    @property
    def bucket(self) -> Bucket:
        """The bucket addressed.

        Raises:
            Refusal: there is none of that name.
        """
        return self.store.bucket(self.request.bucket)

    @property
    def version_id(self) -> str:
        """The version asked for, or ``''``.

        Raises:
            Refusal: one is named and is empty.
        """
        found = self.query.get("versionId")
        if found == "":
            raise Refusal("InvalidArgument", "Version id cannot be the empty string", ArgumentName="versionId")
        return found or ""

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter that is a count; larger ones become `most`.

        Raises:
            Refusal: it is not a number from 0 to 2**31 - 1.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal()) or int(text) > 0x7FFFFFFF:
            raise Refusal(
                "InvalidArgument",
                f"Provided {name} not an integer or within integer range",
                ArgumentName=name,
                ArgumentValue=text,
            )
        return min(int(text), most)


def check_proof(call: Call) -> None:
    """The body came with a checksum or Content-MD5, which some operations insist on.

    Raises:
        Refusal: it did not.
    """
    received = call.request.received
    assert received is not None
    if "content-md5" not in call.headers and not received.checksums:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5")
