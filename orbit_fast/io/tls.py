"""TLS: contexts that verify, and what their failures mean to the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import TlsTrust

if TYPE_CHECKING:
    import ssl

_REFUSED_VERSIONS = frozenset(
    {
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_SSL_VERSION",
    }
)
_NOT_TLS = frozenset({"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"})


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a TLS connection believes.

    Attributes:
        ca_bundle: path of a PEM file or of a hashed directory, or ``''`` for the system's own.
        verify: whether certificate and host name are checked at all.
    """

    ca_bundle: str = ""
    verify: bool = True


def client_context(trust: Trust) -> ssl.SSLContext:
    """A context for client connections: TLS 1.2 or later, certificate and host name verified unless `trust` says not.

    Raises:
        InvalidConfig: the CA bundle cannot be read or holds no certificate.
    """
    import os  # noqa: PLC0415 - beside ssl, which costs 10 ms and is not needed over plain HTTP
    import ssl  # noqa: PLC0415

    try:
        if trust.ca_bundle and os.path.isdir(trust.ca_bundle):
            context = ssl.create_default_context(capath=trust.ca_bundle)
        else:
            context = ssl.create_default_context(cafile=trust.ca_bundle or None)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidConfig(f"the CA bundle {trust.ca_bundle!r} cannot be used: {reason}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def failure_of(error: BaseException, host: str) -> S3Error | None:
    """What a failed handshake with `host` means, or None where `error` is not about TLS."""
    import ssl  # noqa: PLC0415 - only a process that has met TLS comes here

    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsTrust(
            f"the certificate of {host} is not trusted: {error.verify_message.rstrip('.')}"
            " (give its authority with --ca-bundle FILE)"
        )
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if reason in _REFUSED_VERSIONS:
            return TlsTrust(f"{host} offers no TLS version that is still safe (1.2 or later is needed)")
        if reason in _NOT_TLS:
            return TlsTrust(f"{host} does not speak TLS on this port (is it an http:// endpoint?)", code="E_TLS")
        text = reason.replace("_", " ").lower() or "the handshake failed"
        return ConnectFailed(f"TLS handshake with {host} failed: {text}", code="E_TLS")
    return None
