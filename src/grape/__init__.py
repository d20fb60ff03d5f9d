"""grape: Vintner from the terminal."""
