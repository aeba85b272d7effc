"""Parts that all sections of the report use: colours, rounded numbers, thumbnails."""
