"""Networks that another library builds: their weight files, preparation and maps."""
