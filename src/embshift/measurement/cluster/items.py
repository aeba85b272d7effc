"""What an actor is asked to do, and what it answers."""

from dataclasses import dataclass

__all__ = ["Item"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Rows of the listing that one actor measures.

    Attributes:
        chunk: Their chunk.
        first: The first of the rows, from 0.
        count: How many rows there are.
        trial: Whether they are only tried and nothing is written, to find out which image ends its process.
        isolated: Whether views are made in a worker process, even where the run has none.
        again: Whether the rows have ended one actor already.
        deadly: Rows that are recorded as `worker_died` without being tried.
    """

    chunk: int
    first: int
    count: int
    trial: bool = False
    isolated: bool = False
    again: bool = False
    deadly: tuple[int, ...] = ()
