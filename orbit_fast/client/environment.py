"""What the process was given: the library's only look at it.

The command has a look of its own (`cli.environment`); everything below both is handed a mapping.
"""

from __future__ import annotations

import os


def read_variables() -> dict[str, str]:
    """The variables of the environment as they are now."""
    return dict(os.environ)
