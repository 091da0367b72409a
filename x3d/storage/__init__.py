"""Everything on disk: atomic writes and locks, provenance, manifests, score rows, folders of views and results."""
