"""``presign``: a URL that is good for one request."""

from __future__ import annotations

from orbit_fast.core import encode
from orbit_fast.core.errors import S3Error
from orbit_fast.core.render import presign as lines
from orbit_fast.core.tasks import Presign
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.task import TaskSurroundings


def presign(given: TaskSurroundings, task: Presign) -> Flow[None]:
    """Make it. Asks nothing of the service, but where a bucket of AWS lives if nobody has said so.

    Raises:
        InvalidConfig: requests are not signed.
    """
    settings = given.settings
    if not settings.source.region and not given.around.sites[task.site].endpoint.is_custom:
        # The URL must name the bucket's own region. Who may not ask gets the one that is configured.
        try:
            yield Call(request=encode.head_bucket(), site=task.site)
        except S3Error as error:
            if not error.status:
                raise
    query = (("versionId", task.version_id),) if task.version_id else ()
    url, now_s = given.presign(task.site, settings.presign.method, task.key, query, settings.presign.expires_s)
    name = f"s3://{given.around.sites[task.site].bucket}/{task.key}"
    given.say(lines.render(name, url, settings.presign, now_s, settings.output))
    given.tallied.found += 1
