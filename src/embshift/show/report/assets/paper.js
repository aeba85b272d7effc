// Beside the paper: what its text says, and what this run shows.
function renderPaper() {
  const found = data.paper;
  byId("paper").hidden = !found;
  if (!found) return;
  byId("paper-text").textContent = found.text;
  byId("paper-note").textContent = found.note;
  refill(byId("paper-table"), [plainTable(found.table, "paper-0")]);
}
