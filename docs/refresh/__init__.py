"""What is generated into the documentation: tables of registries, schema, plan, parser and public names."""
