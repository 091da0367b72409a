"""The tools of Ascend NPUs: their command lines and what they print."""
