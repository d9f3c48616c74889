"""The parts of the benchmark of motion: peaks that drift, a peer in a process of its own, long recordings."""
