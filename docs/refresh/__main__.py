"""Write the generated parts of the documentation anew: ``python -m docs.refresh``."""

from docs.refresh.pages import DOCS, write_pages

for page in write_pages():
    print(f"refreshed docs/{page.relative_to(DOCS).as_posix()}")
