"""What can be known before a run: facts looked up by `examine`, each judged by a pure function."""
