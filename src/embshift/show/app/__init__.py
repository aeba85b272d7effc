"""The app's server half: answers about runs, behind a guard. What is live is handed in."""
