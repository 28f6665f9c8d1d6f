// A help for long tables of members: a field that filters rows. The page does all else without this script.
"use strict";
for (const table of document.querySelectorAll("table[data-filter]")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 10) continue;
  const label = document.createElement("label");
  const input = document.createElement("input");
  label.append(table.dataset.filter + " ", input);
  input.type = "search";
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.parentElement.before(label);
}
