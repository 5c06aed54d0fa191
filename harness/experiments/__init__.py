"""Experiments: a question as a TOML file, swept into runs, measured one after the other, resumed where it stopped."""
