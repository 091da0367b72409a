"""The configuration's keys, and loading and checking them."""
