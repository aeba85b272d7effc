"""Engine: who does the work, in this process or in workers; every engine commits the same rows."""
