setTheme();
drawHead();
fillControls();
fillMetric();
fillBehind();
listeners.push(drawTable, drawCharts);
drawTable();
drawBehind();
drawPictures();
drawBeyond();
drawCaveats();
drawMethods();
drawCite();
drawCharts();
drawCurves();

function retheme() {
  setTheme();
  drawCharts();
  drawCurves();
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
    drawCharts();
    drawCurves();
  }, 150);
});

// Paper is white and as wide as it is; what is closed on the screen is open there.
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
