"""Pipeline: one module a stage, from image to table: perturb, batches, encode, tabulate."""
