setTheme();
renderHead();
renderFirst();
renderPaper();
fillControls();
fillMetric();
fillBehind();
listeners.push(renderTable, renderCharts);
renderTable();
renderBehind();
renderImages();
renderContext();
renderNetwork();
renderCaveats();
renderMethods();
renderCite();
renderContents();
renderCharts();
renderCurves();

function retheme() {
  setTheme();
  renderCharts();
  renderCurves();
}

byId("theme").addEventListener("click", () => {
  state.dark = !state.dark;
  retheme();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
  state.dark = event.matches;
  retheme();
});

let waiting = 0;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    renderCharts();
    renderCurves();
  }, 150);
});

// For print: light colours, the width of the paper, and closed sections opened.
const closed = [];
window.addEventListener("beforeprint", () => {
  state.printing = true;
  for (const details of document.querySelectorAll("details.methods:not([open])")) {
    closed.push(details);
    details.open = true;
  }
  retheme();
});
window.addEventListener("afterprint", () => {
  state.printing = false;
  for (const details of closed.splice(0)) details.open = false;
  retheme();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stepBack();
});
window.addEventListener("hashchange", openAddressed);
openAddressed();
