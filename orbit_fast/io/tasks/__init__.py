"""The work of the commands that move no items: a flow for each kind of task, one command a file.

`flow_of` is the whole registry. A task's module is loaded when the first task of its kind runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from orbit_fast.core import tasks

if TYPE_CHECKING:
    from orbit_fast.core.tasks import Task
    from orbit_fast.io.flow import Flow
    from orbit_fast.io.task import TaskSurroundings

_FLOWS: dict[type, tuple[str, str]] = {
    tasks.CompareSides: ("verify", "compare_sides"),
    tasks.CompareVersions: ("versions", "compare_versions"),
    tasks.CountObjects: ("du", "count_objects"),
    tasks.HeadBucket: ("head", "head_bucket"),
    tasks.HeadObject: ("head", "head_object"),
    tasks.ListBuckets: ("ls", "list_buckets"),
    tasks.ListObjects: ("ls", "list_objects"),
    tasks.ListUploads: ("uploads", "list_uploads"),
    tasks.ListVersions: ("versions", "list_versions"),
    tasks.LookForFiles: ("peers", "look_for_files"),
    tasks.LookForKeys: ("peers", "look_for_keys"),
    tasks.MakeBucket: ("buckets", "make_bucket"),
    tasks.Presign: ("presign", "presign"),
    tasks.RemoveBucket: ("buckets", "remove_bucket"),
    tasks.RemoveExtraFiles: ("extras", "remove_files"),
    tasks.RemoveExtraKeys: ("extras", "remove_keys"),
    tasks.RemoveObjects: ("rm", "remove_objects"),
    tasks.RestoreObjects: ("restore", "restore_objects"),
    tasks.SelectRecords: ("select", "select_records"),
    tasks.SetVersioning: ("versions", "set_versioning"),
    tasks.ShowVersioning: ("versions", "show_versioning"),
}
"""Module and function for each kind of task."""


def flow_of(around: TaskSurroundings, task: Task) -> Flow[None]:
    """The flow that does a task; it says what it finds, and counts in ``around.tallied``.

    What it raises (`S3Error`) is why the task as a whole could not be done.
    """
    module, name = _FLOWS[type(task)]
    flow: Flow[None] = getattr(import_module(f"{__name__}.{module}"), name)(around, task)
    return flow
