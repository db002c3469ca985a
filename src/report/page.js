"use strict";
(() => {
  const root = document.documentElement;
  document.getElementById("theme").onclick = () => {
    const set = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = set === "dark" ? "light" : "dark";
  };
  for (const box of document.querySelectorAll(".table")) {
    const table = box.querySelector("table"), body = table.tBodies[0];
    const all = box.querySelector(".all"), search = box.querySelector("input");
    const chips = [...box.querySelectorAll(".chip")];
    const rows = [...body.rows].map((row, place) => ({ row, place, text: null }));
    const limit = rows.filter(({ row }) => !row.classList.contains("more")).length;
    // Folds what is beyond the first rows of those that pass the filter.
    const show = () => {
      const words = search ? search.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
      const off = new Set(chips.filter(chip => chip.getAttribute("aria-pressed") === "false").map(chip => chip.dataset.k));
      let count = 0;
      for (const one of rows) {
        let fits = !off.has(one.row.dataset.k);
        if (fits && words.length) {
          one.text ??= one.row.textContent.toLowerCase();
          fits = words.every(word => one.text.includes(word));
        }
        one.row.hidden = !fits;
        one.row.classList.toggle("more", fits && ++count > limit);
      }
      if (all) {
        all.hidden = !table.classList.contains("limited") || count <= limit;
        all.textContent = `Show all ${count.toLocaleString("en")}`;
      }
    };
    if (search) search.oninput = show;
    if (all) all.onclick = () => { table.classList.remove("limited"); show(); };
    for (const chip of chips) chip.onclick = () => {
      chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") === "false");
      show();
    };
    [...table.tHead.rows[0].cells].forEach((head, column) => head.firstChild.onclick = () => {
      const value = ({ row }) => row.cells[column].dataset.v;
      const isNumber = rows.some(one => value(one) !== undefined);
      const was = head.getAttribute("aria-sort");
      // Numbers from the largest, words from A; a second click turns it.
      const down = was ? was === "ascending" : isNumber;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = one => isNumber ? Number(value(one) ?? -Infinity) : one.row.cells[column].textContent;
      const keyed = rows.map(one => [key(one), one]);
      const order = isNumber ? (a, b) => a[0] - b[0] : (a, b) => a[0].localeCompare(b[0], "en", { numeric: true });
      keyed.sort((a, b) => (down ? -order(a, b) : order(a, b)) || a[1].place - b[1].place);
      rows.splice(0, rows.length, ...keyed.map(pair => pair[1]));
      body.append(...rows.map(one => one.row));
      show();
    });
  }
})();
