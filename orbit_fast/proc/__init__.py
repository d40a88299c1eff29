"""Many processes: the supervisor, its workers, and what lies between them.

A worker's whole world is two pipes and one shared mapping. Orders come in, events go out (`channel`: framed,
checksummed, bounded); payload bytes pass through its slots (`slots`), counters through its row of cells (`cells`), each
with exactly one writer. Nothing is shared that needs a lock, because a lock dies with its holder.

What dies, and what follows:

* A worker, however: its pipe ends, it is reaped, its slots are free again, what it had in hand is dealt to others, and
  a replacement starts when there is work for it. Connections and descriptors of temporary files died with it.
* The supervisor: every worker gets SIGKILL from the kernel (Linux) and sees its order pipe end (everywhere); none sends
  another request.
* Both leave nothing with a name behind: the mapping is anonymous, pipes have no name.

What does not cross a process: exceptions (`core.messages.Failure` does), file descriptors after the start, locks.
"""
