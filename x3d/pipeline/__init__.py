"""What each script does, as a function that returns a value."""
