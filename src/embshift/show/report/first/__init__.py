"""First screen of the report: headline, one chart of all transforms, cards, and the caveats beside them."""
