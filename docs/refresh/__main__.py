"""Write the generated parts of the documentation anew: ``python -m docs.refresh``."""

from docs.refresh.pages import DOCS, write_pages
from docs.refresh.plan_options import PATH, write_options

if PATH.read_text(encoding="utf-8") != write_options():
    PATH.write_text(write_options(), encoding="utf-8")
    print(f"refreshed {PATH.name}")
for page in write_pages():
    print(f"refreshed docs/{page.relative_to(DOCS).as_posix()}")
