"""The arenas: grids in which every rule of the catalogue meets every attack under one protocol.

Each package here is one version of the protocol, such as ``arena_1``. A version never changes, so
that its ranks can be compared for good; another protocol is another package.
"""
