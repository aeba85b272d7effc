"""Options: what each command takes, and how shells complete it."""
