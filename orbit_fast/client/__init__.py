"""The library: what `import orbit_fast` gives, over the same io and core as the command.

Nothing of a transfer is done twice here: flows (`io.upload`, `io.memory`, `io.download`, `io.copy` ...) say what is
asked of a service, and the io client retries, repairs and verifies. This room adds what a program wants around them.

    config, options, storage    what a client and a call are told
    session                     the io client on the running loop: sites, credentials, memory, flows as awaitables
    operations                  what every group of operations stands on; `client` puts the groups together:
    objects, listing, buckets   one request each, or a lazy row of them
    files, streams              transfers: of files, of bytes and streams of any size, in parts beside each other;
                                stream_download, stream_upload, stream_proof do the work
    versioning, batch           the guide's chapters of these names
    transfers, window, memory   parts of one transfer beside each other, and the memory for them
    resume                      what an interrupted upload goes on from
    progress, meter             who hears of what has landed
    recovery                    retry policies and circuit breakers for one's own code
    engine                      the command's multi-process transfer: engine_options are read, engine_process does the
                                job in a process of its own, engine_job is its handle, engine_events what it tells
    fsspec_filesystem           objects as files, for pandas and its kin; fsspec_file is an open one
    environment                 the only look at the process's variables

A client belongs to one running loop at a time. Cancelling a task that awaits something cancels exactly that, and leaves
no temporary file, no unfinished upload and no connection in a wrong state.
"""

from __future__ import annotations
