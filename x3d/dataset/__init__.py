"""The annotation list, and the numbering of views that follows from it."""
