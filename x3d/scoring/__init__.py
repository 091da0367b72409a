"""From scores of views to accuracy: pure functions."""
