"""Run a function over videos: worker processes here, or a Ray cluster."""
