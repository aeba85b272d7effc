// The table of contents: sections that the page has, and the one in view; folded on a narrow page.
function renderContents() {
  const links = [...document.querySelectorAll("nav a")].filter((link) => {
    const section = byId(link.hash.slice(1));
    const shown = section && !section.hidden;
    if (!shown) link.remove();
    return shown;
  });
  const narrow = window.matchMedia("(max-width: 64rem)");
  const fold = () => { byId("contents").open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  for (const link of links) link.addEventListener("click", () => narrow.matches && fold());
  const mark = () => {
    const above = links.filter((link) => byId(link.hash.slice(1)).getBoundingClientRect().top < window.innerHeight / 3);
    const current = above[above.length - 1] || links[0];
    for (const link of links) {
      if (link === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  document.addEventListener("scroll", mark, { passive: true });
  mark();
}
