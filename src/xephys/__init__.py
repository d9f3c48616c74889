"""Spike sorting as a lazy dataflow on chunked, labelled arrays."""
