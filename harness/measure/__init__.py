"""Taking the samples."""
