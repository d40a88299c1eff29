"""One process, one loop: the network, the local disk, and who we are to S3.

`flow` says what a transfer is to whoever drives it; `client` drives it over `pool` and `connection`; `upload`,
`download`, `copy`, `listing`, `versions` and `deletion` are the flows, and `service` is one for each operation that has
none of its own. `sources`, `files`, `directories` and `walk` are the local disk; `credentials` and `endpoints` ask
botocore. `loop` alone knows uvloop, `clock` alone knows the time.

Promises: no transport holds memory of a body or a sink any more when its exchange is reported ended; every wait has a
limit; a file has its final name only when it is whole.
"""
