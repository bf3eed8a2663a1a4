// Sorts and filters tables. One pair of listeners serves every table that is in the page or will come into it.
(() => {
  const page = document.documentElement;
  if (page.classList.contains("benchbook-live")) return;
  page.classList.add("benchbook-live");

  const UNITS = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
  const natural = new Intl.Collator("en", { numeric: true });
  // A mark may stand before it.
  const number = (text) => {
    const found = /^(?:[↓↑] )?([-+−]?[\d.]+(?:e[-+]?\d+)?) ?(\S*)/.exec(text);
    return found ? Number(found[1].replace("−", "-")) * (UNITS[found[2]] ?? 1) : NaN;
  };

  // The rows in the order of a column: rising, falling, then as they came. What has no value stands last.
  const sort = (head) => {
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows];
    rows.forEach((row, place) => { row.dataset.place ??= place; });
    const order = NEXT[head.getAttribute("aria-sort")] ?? "ascending";
    for (const other of head.parentElement.cells) other.setAttribute("aria-sort", other === head ? order : "none");
    const numeric = head.classList.contains("n");
    const value = (row) => {
      const text = row.cells[head.cellIndex].textContent.trim();
      return numeric ? number(text) : text;
    };
    const without = (value) => Number(value === "" || Number.isNaN(value));
    const sign = order === "descending" ? -1 : 1;
    const compare = (a, b) => without(a) - without(b) || sign * (numeric ? a - b : natural.compare(a, b)) || 0;
    const place = (a, b) => a.dataset.place - b.dataset.place;
    rows.sort((a, b) => (order === "none" ? 0 : compare(value(a), value(b))) || place(a, b));
    body.append(...rows);
  };

  // Only rows in which every word stands.
  const filter = (input) => {
    const table = input.closest(".benchbook-table");
    const words = input.value.toLowerCase().split(/\s+/);
    const rows = [...table.querySelector("tbody").rows];
    const holds = (row, word) => [...row.cells].some((cell) => cell.textContent.toLowerCase().includes(word));
    for (const row of rows) row.hidden = !words.every((word) => holds(row, word));
    const shown = rows.filter((row) => !row.hidden).length;
    table.querySelector("output").textContent = input.value.trim() ? `${shown} of ${rows.length} rows` : "";
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".benchbook-table th button");
    if (button) sort(button.closest("th"));
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.(".benchbook-filter input")) filter(event.target);
  });
})();
