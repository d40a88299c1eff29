"""The library: what `import orbit_fast` gives, over the same io and core as the command.

Nothing of a transfer is done twice here: flows (`io.upload`, `io.memory`, `io.download`, `io.copy` ...) say what is
asked of a service, and the io client retries, repairs and verifies. This room adds what a program wants around them.

    config, options, storage    what a client and a call are told
    session                     the io client on the running loop: sites, credentials, memory, flows as awaitables
    operations                  what every group of operations stands on; `client` puts the groups together:
    objects, listing, buckets   one request each, or a lazy row of them
    files, streams              transfers: of files, of bytes and streams of any size, in parts beside each other
    versioning, batch           the guide's chapters of these names
    transfers, window, memory   parts of one transfer beside each other, and the memory for them
    resume                      what an interrupted upload goes on from
    progress, meter             who hears of what has landed
    recovery                    retry policies and circuit breakers for one's own code
    environment                 the only look at the process's variables

A client belongs to one running loop at a time. Cancelling a task that awaits something cancels exactly that, and leaves
no temporary file, no unfinished upload and no connection in a wrong state.
"""

from __future__ import annotations
