"""What a report shows of a run, as values, and its page."""
