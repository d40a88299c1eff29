"""Fault plans: data that says what goes wrong at which exchange, and the injector that makes it so.

A plan is a list of rules. A rule names exchanges by operation, key, part and try, and an action of `faults_actions`.
The first rule of a stage that applies to an exchange acts; the others wait for the next one. A plan without hooks is
JSON, so that a failing random plan can be written down and replayed.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from typing import Any

from orbit_fast.testing import HttpRequest
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import S3Server
from orbit_fast.testing import Seams

PART = 5 * 1024 * 1024
ALWAYS = 1 << 30


class Stage(Enum):
    """When an action acts."""

    HEAD = "head"
    """The request's head is there, its body is not."""
    BEFORE = "before"
    """The request is whole and verified; nothing has been done."""
    AFTER = "after"
    """The operation has been carried out."""


Effect = Callable[..., Any]
EFFECTS: dict[str, tuple[Stage, Effect]] = {}
"""Every action by its name."""
SILENT = {"hang", "stop_reading", "drip"}
"""Those after which nothing comes any more, or too little."""


@dataclass(frozen=True, slots=True)
class Action:
    """What is done to an exchange: a name in `EFFECTS` and its settings."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stage(self) -> Stage:
        """When it acts."""
        return EFFECTS[self.name][0]

    @property
    def is_silent(self) -> bool:
        """Whether the client is left to wait."""
        return self.name in SILENT or self.settings.get("how") == "hang"

    def apply(self, request: HttpRequest, response: HttpResponse | None) -> Any:
        """What is sent instead, or None; an awaitable of that except at `Stage.HEAD`."""
        return EFFECTS[self.name][1](request, response, **self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault.

    Attributes:
        action: what is done.
        operation: S3's names of the operations it is done to, separated by spaces; ``''`` means all.
        bucket: its name; ``''`` means any.
        key: regular expression that the key must contain.
        part: number of the part; that of a ranged GetObject is counted in steps of `PART`. 0 means all.
        attempt: which try of the same request; 0 means any.
        header: regular expression that the name of one of the request's headers must match whole.
        nth: the first of the exchanges that apply which is hit, counted from 1.
        times: how many are hit.
        probability: of being hit, for each.
    """

    action: Action
    operation: str = ""
    bucket: str = ""
    key: str = ""
    part: int = 0
    attempt: int = 0
    header: str = ""
    nth: int = 1
    times: int = 1
    probability: float = 1.0

    def applies(self, request: HttpRequest, attempt: int) -> bool:
        """Whether this exchange is one of those meant."""
        return (
            (not self.operation or request.operation in self.operation.split())
            and self.bucket in {"", request.bucket}
            and re.search(self.key, request.key) is not None
            and self.part in {0, part_of(request)}
            and self.attempt in {0, attempt}
            and (not self.header or any(re.fullmatch(self.header, name) for name in request.headers))
        )

    def to_json(self) -> dict[str, Any]:
        """As data.

        Raises:
            TypeError: its action holds a hook.
        """
        fields = {name: getattr(self, name) for name in _FIELDS}
        found = {"action": self.action.name, "settings": dict(self.action.settings), **fields}
        return json.loads(json.dumps(found))


_FIELDS = ("operation", "bucket", "key", "part", "attempt", "header", "nth", "times", "probability")


def rules_from_json(rows: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """The rules that `Rule.to_json` wrote."""
    return [
        Rule(action=Action(row["action"], row["settings"]), **{name: row[name] for name in _FIELDS}) for row in rows
    ]


def part_of(request: HttpRequest) -> int:
    """The number of the part that a request moves, or 0."""
    if "partNumber" in request.query:
        return int(request.query["partNumber"])
    found = re.fullmatch(r"bytes=([0-9]+)-[0-9]*", request.headers.get("range", ""))
    return int(found[1]) // PART + 1 if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One fault that happened."""

    rule: Rule
    operation: str
    key: str
    part: int
    attempt: int


class Injector:
    """Carries out a plan on one server.

    Attributes:
        fired: the faults that happened, in order.
        requests: every request whose head was accepted, in order.
        page_size: most keys on a page of a listing, or 0 for what the client asks.
    """

    def __init__(self, server: S3Server, rules: Iterable[Rule] = (), *, seed: int = 0) -> None:
        """Take hold of `server`, which must not have started."""
        self.fired: list[Fired] = []
        self.requests: list[HttpRequest] = []
        self.page_size = 0
        self.seed = seed
        self._rules = list(rules)
        self._random = random.Random(seed)
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._attempts: dict[str, int] = {}
        self._applied: Counter[int] = Counter()
        self._hits: Counter[int] = Counter()
        self._lock = threading.Lock()
        server.seams = Seams(on_head=self._on_head, revise=self._revise)
        server._intercept = self._intercept

    def add(self, *rules: Rule) -> None:
        """Add rules; those that are there come first."""
        with self._lock:
            self._rules.extend(rules)

    @property
    def is_silent(self) -> bool:
        """Whether only the client's time limit ends what a rule does."""
        return any(rule.action.is_silent for rule in self._rules)

    def unfired(self) -> list[Rule]:
        """The rules that never acted."""
        with self._lock:
            return [rule for number, rule in enumerate(self._rules) if not self._hits[number]]

    def _on_head(self, request: HttpRequest) -> HttpResponse | None:
        with self._lock:
            self.requests.append(request)
            identity = _identity(request)
            self._seen[identity] += 1
            self._attempts[request.request_id] = self._seen[identity]
        if self.page_size and request.operation.startswith("ListObjects"):
            request.query["max-keys"] = str(self.page_size)
        action = self._choose(request, Stage.HEAD)
        return action.apply(request, None) if action is not None else None

    async def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        action = self._choose(request, Stage.BEFORE)
        return await action.apply(request, None) if action is not None else None

    async def _revise(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        action = self._choose(request, Stage.AFTER)
        return await action.apply(request, response) if action is not None else response

    def _choose(self, request: HttpRequest, stage: Stage) -> Action | None:
        with self._lock:
            attempt = self._attempts[request.request_id]
            for number, rule in enumerate(self._rules):
                if rule.action.stage is not stage or not rule.applies(request, attempt):
                    continue
                self._applied[number] += 1
                if not rule.nth <= self._applied[number] or self._hits[number] >= rule.times:
                    continue
                if rule.probability < 1 and self._random.random() >= rule.probability:
                    continue
                self._hits[number] += 1
                self.fired.append(
                    Fired(
                        rule=rule,
                        operation=request.operation,
                        key=request.key,
                        part=part_of(request),
                        attempt=attempt,
                    )
                )
                return rule.action
        return None

    def count(self, operation: str, key: str = "") -> int:
        """Requests of an operation, or of several separated by spaces, whose head was accepted."""
        return sum(request.operation in operation.split() and key in request.key for request in self.requests)


def _identity(request: HttpRequest) -> tuple[str, ...]:
    """What makes two requests tries of the same."""
    query = request.query
    return (
        request.operation,
        request.bucket,
        request.key,
        query.get("partNumber", ""),
        request.headers.get("range", "") or request.headers.get("x-amz-copy-source-range", ""),
        query.get("continuation-token", "") + query.get("marker", ""),
    )
