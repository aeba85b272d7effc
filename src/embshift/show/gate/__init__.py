"""What a gate found, for people and for the programs of CI; all of it is written from the JSON record."""
