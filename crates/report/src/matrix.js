// A cell of a map leads to what is known of it: its rows in the table of every cell are marked, and the first comes into sight.
document.addEventListener("benchbook-click", ({ detail }) => {
  const hovered = detail.data.hovertext?.[detail.y]?.[detail.x];
  const title = [...document.querySelectorAll("h2")].find((one) => one.textContent === "Every cell");
  const table = title?.nextElementSibling?.querySelector("table");
  if (!hovered || !table) return;
  // What the pointer tells begins with the technique and the model, or its case, a line each.
  const plain = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent.trim();
  const [technique, model] = hovered.split("<br>").map(plain);
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
  const cell = (row, name) => row.cells[heads.indexOf(name)]?.textContent.trim();
  const rows = [...table.tBodies[0].rows];
  const found = rows.filter((row) =>
    cell(row, "technique") === technique && [cell(row, "model"), cell(row, "case name")].includes(model));
  for (const row of rows) row.classList.toggle("benchbook-found", found.includes(row));
  for (const row of found) row.hidden = false;
  found[0]?.scrollIntoView({ block: "center" });
});
