"""``head``: one HEAD, and everything that its answer says."""

from __future__ import annotations

from orbit_fast.core import encode
from orbit_fast.core.render import head as lines
from orbit_fast.core.tasks import HeadBucket
from orbit_fast.core.tasks import HeadObject
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import named
from orbit_fast.io.task import TaskSurroundings


def head_object(given: TaskSurroundings, task: HeadObject) -> Flow[None]:
    """Show an object.

    Raises:
        S3Error: it is not there, or may not be looked at.
    """
    reply = yield from named(given.around, task.site, task.key, task.version_id)
    name = f"s3://{given.around.sites[task.site].bucket}/{task.key}"
    given.say(lines.render(lines.object_fields(name, reply.headers), given.settings.output))
    given.tallied.found += 1


def head_bucket(given: TaskSurroundings, task: HeadBucket) -> Flow[None]:
    """Show a bucket.

    Raises:
        S3Error: it is not there, or may not be looked at.
    """
    reply = yield Call(request=encode.head_bucket(), site=task.site)
    name = f"s3://{given.around.sites[task.site].bucket}"
    given.say(lines.render(lines.bucket_fields(name, reply.headers), given.settings.output))
    given.tallied.found += 1
