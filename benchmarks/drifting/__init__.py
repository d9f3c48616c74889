"""What the benchmark of motion shares: peaks that drift, a peer in a process of its own, long recordings."""
