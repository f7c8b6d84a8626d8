"""Lines of a log that needs no download: sessions of a small storage service."""

import random
from collections.abc import Iterator

START = 1_226_289_660
"""Seconds since 1970 of the first line: when HDFS's famous log begins."""
TEMPLATES = {
    "allocate": "NameSystem.allocateBlock: /user/root/part-{n} blk_{id}",
    "receive": "Receiving block blk_{id} src: 10.250.{a}.{b}:{n} dest: 10.250.{b}.{a}:50010",
    "received": "Received block blk_{id} of size {n} from 10.250.{a}.{b}",
    "responder": "PacketResponder {b} for block blk_{id} terminating",
    "stored": "NameSystem.addStoredBlock: 10.250.{a}.{b}:50010 is added to blk_{id} size {n}",
    "served": "10.250.{a}.{b}:50010 Served block blk_{id} to /10.250.{b}.{a}",
    "verified": "Verification succeeded for blk_{id}",
    "replicate": "Starting thread to transfer block blk_{id} to 10.250.{a}.{b}:50010",
    "transmitted": "Transmitted block blk_{id} to /10.250.{a}.{b}:50010",
    "delete": "NameSystem.delete: blk_{id} is added to invalidSet of 10.250.{a}.{b}:50010",
    "deleted": "Deleting block blk_{id} file /mnt/hadoop/dfs/data/current/blk_{id}",
}
NEXT = {
    "allocate": ("receive",),
    "receive": ("receive", "received", "received"),
    "received": ("responder", "stored"),
    "responder": ("stored", "received"),
    "stored": ("stored", "served", "verified", "replicate"),
    "served": ("served", "served", "verified", "delete"),
    "verified": ("served", "replicate", "delete"),
    "replicate": ("transmitted",),
    "transmitted": ("stored", "served"),
    "delete": ("deleted",),
    "deleted": (),
}
"""The automaton: what may follow what; a session ends when nothing may."""


def sessions(n: int, seed: int = 0) -> Iterator[list[tuple[int, str]]]:
    """``n`` normal sessions, each a list of (seconds since 1970, line of text)."""
    rng = random.Random(seed)
    now = START
    for _ in range(n):
        block, state, lines = rng.randrange(10**18), "allocate", []
        at = now
        while True:
            a, b, size = rng.randrange(256), rng.randrange(256), rng.randrange(10**6)
            lines.append((at, TEMPLATES[state].format(id=block, a=a, b=b, n=size)))
            if not NEXT[state]:
                break
            state = rng.choice(NEXT[state])
            at += rng.choice((0, 0, 1, 3, 40))
        yield lines
        now += rng.randrange(5)
