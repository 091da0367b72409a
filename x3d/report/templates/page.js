"use strict";
(() => {
  const keyOf = (cell, numeric) => {
    const text = cell.textContent.trim();
    return numeric ? parseFloat(text.replaceAll(",", "").replace("\u2212", "-")) : text;
  };

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  const isMissing = (key) => key === "" || Number.isNaN(key);

  const sortBy = (table, header) => {
    const numeric = header.classList.contains("num");
    const before = header.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : numeric;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [keyOf(row.cells[header.cellIndex], numeric), row]);
    rows.sort(([a], [b]) => isMissing(a) - isMissing(b) || (isMissing(a) ? 0 : descending ? compare(b, a) : compare(a, b)));
    body.append(...rows.map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  };

  const makeSortable = (table) => {
    for (const header of table.tHead.rows[0].cells) {
      if (header.classList.contains("mark")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sortBy(table, header));
      header.append(button);
    }
  };

  const makeSearchable = (block) => {
    const filter = block.querySelector(".filter");
    const input = filter.querySelector("input");
    const rows = [...block.querySelectorAll("tbody tr")].map((row) => [
      row,
      [...row.querySelectorAll("th, .key")].map((cell) => cell.textContent).join(" ").toLowerCase(),
    ]);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      const matches = filter.querySelector(".matches");
      matches.textContent = input.value.trim() ? `${shown} of ${rows.length} ${block.dataset.noun} match` : "";
    });
    filter.hidden = false;
  };

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll(".table-block").forEach(makeSearchable);
})();
