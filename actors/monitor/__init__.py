"""Looks at what the house depends on, again and again, and says what it saw and when."""
