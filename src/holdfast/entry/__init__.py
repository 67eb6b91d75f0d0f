"""Where the outside world comes in: commands, workers and, later, HTTP."""
