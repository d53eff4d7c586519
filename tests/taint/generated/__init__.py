"""Random programs, written from `random.Random` (which Hypothesis controls), and what they run with."""
