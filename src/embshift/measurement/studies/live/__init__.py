"""Views made while a user looks, from a run's own recipe, and what the run's encoder makes of them."""
