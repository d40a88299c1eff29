"""Options that say how S3 is reached, and how patiently."""

from __future__ import annotations

from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import choice
from orbit_fast.core.values import integer
from orbit_fast.core.values import seconds
from orbit_fast.core.verb_groups import LISTS
from orbit_fast.core.verb_groups import REQUESTS
from orbit_fast.core.verb_groups import S3
from orbit_fast.core.verb_groups import UPLOADS

_STYLES = ("auto", "path", "virtual")

ROWS = (
    Option(
        name="endpoint-url",
        path="client.endpoint_url",
        help="Send requests to this S3 service. Also AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and the profile.",
        metavar="URL",
        has_sides=True,
        verbs=S3,
    ),
    Option(
        name="region",
        path="client.region",
        help="Region to sign for.",
        metavar="NAME",
        default_text="the environment's or the profile's, else us-east-1",
        has_sides=True,
        verbs=S3,
    ),
    Option(
        name="aws-profile",
        path="client.profile",
        help="Profile of the AWS configuration files.",
        metavar="NAME",
        also=("--profile",),
        has_sides=True,
        verbs=S3,
    ),
    Option(
        name="credentials-file",
        path="client.credentials_file",
        help="Shared credentials file to read instead of ~/.aws/credentials.",
        metavar="FILE",
        verbs=S3,
    ),
    Option(
        name="no-sign-request",
        path="client.no_sign_request",
        help="Send requests unsigned: public buckets.",
        shape=Shape.FLAG,
        has_sides=True,
        verbs=REQUESTS,
    ),
    Option(
        name="use-acceleration",
        path="client.use_acceleration",
        help="Use S3 Transfer Acceleration.",
        shape=Shape.FLAG,
        verbs=S3,
    ),
    Option(
        name="request-payer",
        path="client.request_payer",
        help="Agree to pay for requests to requester-pays buckets.",
        shape=Shape.OPTIONAL,
        parse=choice(("requester",)),
        metavar="requester",
        optional_value="requester",
        choices=("requester",),
        verbs=S3,
    ),
    Option(
        name="no-verify-ssl",
        path="client.verify_ssl",
        help="Accept any TLS certificate. Anybody on the way can read and change everything.",
        shape=Shape.FLAG,
        constant=False,
        verbs=REQUESTS,
    ),
    Option(
        name="ca-bundle",
        path="client.ca_bundle",
        help="Certificates (PEM) to trust instead of the system's.",
        metavar="FILE",
        verbs=REQUESTS,
    ),
    Option(
        name="use-list-objects-v1",
        path="client.use_list_v1",
        help="List with ListObjects, for services without ListObjectsV2.",
        shape=Shape.FLAG,
        verbs=LISTS,
    ),
    Option(
        name="addressing-style",
        path="client.addressing_style",
        help="Put the bucket into the path or into the host name of requests.",
        parse=choice(_STYLES),
        choices=_STYLES,
        verbs=S3,
    ),
    Option(
        name="force-path-style",
        path="client.addressing_style",
        help="The same as --addressing-style path.",
        shape=Shape.FLAG,
        constant="path",
        verbs=S3,
    ),
    Option(
        name="unsigned-payload",
        path="client.unsigned_payload",
        help="Over plain HTTP, leave the body out of the signature, as is done over TLS.",
        shape=Shape.FLAG,
        verbs=UPLOADS | {"run"},
    ),
    Option(
        name="retry-attempts",
        path="network.retry_attempts",
        help="Retries of a request after its first try.",
        parse=integer(0, 1000),
        metavar="N",
        verbs=REQUESTS,
    ),
    Option(
        name="timeout",
        path="network.timeout_s",
        help="Try again when no byte has moved for this long.",
        parse=seconds,
        metavar="SECONDS",
        verbs=REQUESTS,
    ),
)
