"""What goes wrong on purpose: `kinds` and `fault` say what and when, `grammar` reads it from the command line.

`standing` keeps what is in force and counts how often each has struck. A fault strikes in one of three places: at a
`request` and its answer (on the wire), in a link between two Regions (`replication`), or at a Region as a whole
(`server`, for its port and its tables). All of it is a function of time and of seeded streams of random numbers.
"""
