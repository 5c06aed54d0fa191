"""From a table of samples to numbers and figures; pure."""
