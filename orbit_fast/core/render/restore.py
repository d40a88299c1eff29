"""``restore``: a line for each object."""

from __future__ import annotations

from orbit_fast.core.events import event_line
from orbit_fast.core.render.times import TEXT
from orbit_fast.core.render.times import clock_face
from orbit_fast.core.restoring import RestoreState
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import RestoreSettings
from orbit_fast.core.units import format_time
from orbit_fast.core.visible import printable

_ASKED = frozenset({RestoreState.REQUESTED, RestoreState.EXTENDED})
_TEXT = {
    RestoreState.EXTENDED: "already restored, and kept longer now",
    RestoreState.IN_PROGRESS: "in progress",
    RestoreState.NOT_REQUESTED: "not requested",
    RestoreState.NOT_ARCHIVED: "not archived",
}


class Renderer:
    """Makes lines.

    Args:
        wanted: what is asked for.
        output: how to say it.
    """

    def __init__(self, wanted: RestoreSettings, output: OutputSettings) -> None:
        self._wanted = wanted
        self._output = output
        self._time = clock_face(TEXT)

    def planned(self, source: str, version_id: str) -> bytes:
        """Dry run: a restore would have been requested."""
        if self._output.json:
            return event_line(self._event(source, version_id) | self._order() | {"dry_run": True})
        return f"(dry run) restore {printable(source)}\n".encode()

    def told(
        self, source: str, version_id: str, state: RestoreState, *, storage_class: str = "", until_ns: int = 0
    ) -> bytes:
        """What is known of an object's restore, or what came of the request."""
        if self._output.quiet:
            return b""
        if not self._output.json:
            return f"restore {printable(source)}: {self._words(state, until_ns)}\n".encode()
        event = self._event(source, version_id) | {"status": state.value}
        if until_ns:
            event["restored_until"] = format_time(until_ns)
        if storage_class:
            event["storage_class"] = storage_class
        return event_line(event | (self._order() if state in _ASKED else {}))

    def skipped(self, source: str, storage_class: str) -> bytes:
        """One of many is not archived: of that only those hear who want to hear everything."""
        if not self._output.verbose:
            return b""
        if not self._output.json:
            return f"skip restore {printable(source)}: not archived\n".encode()
        event = self._event(source, "") | {"status": RestoreState.NOT_ARCHIVED.value, "skipped": True}
        return event_line(event | ({"storage_class": storage_class} if storage_class else {}))

    def _event(self, source: str, version_id: str) -> dict[str, object]:
        event: dict[str, object] = {"operation": "restore", "success": True, "source": source}
        return event | ({"version_id": version_id} if version_id else {})

    def _order(self) -> dict[str, object]:
        return {"days": self._wanted.days, "tier": self._wanted.tier}

    def _words(self, state: RestoreState, until_ns: int) -> str:
        if state is RestoreState.RESTORED:
            return f"restored until {self._time(until_ns)}" if until_ns else "restored"
        return _TEXT.get(state, state.value)
