"""Change inputs at random and check that every change is noticed or harmless: `python -m test.fuzz`."""
