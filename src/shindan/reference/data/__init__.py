"""From text and logs to rows of ids: everything random is a function of (seed, epoch, index)."""
