"""fedlib: attacks on and defences of federated learning, measured and reproduced.

Data flows one way, and each step is one room of the package::

    data -> clients -> attacks -> aggregators -> engine (server step) -> metrics
         -> store (results) -> report

``fedlib.papers.<slug>`` holds what is particular to one paper: its grid of runs and
its published numbers.
"""

__version__ = "0.1.0"
