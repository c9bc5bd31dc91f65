"""The parts of the stos command, one noun a file. tools/README.md names the reading order."""
