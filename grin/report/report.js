// Theme, tooltips, sorting and filtering. The page is complete without it.
"use strict";
(() => {
  const root = document.documentElement;

  // Theme: the system's until the reader chooses. Storage may be closed to local files.
  const button = document.getElementById("theme");
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  const storage = (run) => { try { return run(localStorage); } catch { return null; } };
  const saved = storage((store) => store.getItem("grin-theme"));
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  button.setAttribute("aria-label", "Switch between light and dark");
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    storage((store) => store.setItem("grin-theme", root.dataset.theme));
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();

  // Tooltips for points and cells.
  let tip = null;
  const hide = () => { if (tip) { tip.remove(); tip = null; } };
  document.addEventListener("pointerover", (event) => {
    hide();
    const target = event.target.closest("[data-tip]");
    if (!target) return;
    tip = document.createElement("div");
    tip.id = "tip";
    tip.textContent = target.dataset.tip;
    document.body.append(tip);
    const at = target.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - size.width / 2),
                          innerWidth - size.width - 8);
    const above = at.top - size.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 8}px`;
  });
  document.addEventListener("scroll", hide, { capture: true, passive: true });

  // Sorting: a click sorts, another turns round. What was not measured stays last.
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const first = numeric ? "descending" : "ascending";
        const other = numeric ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        for (const one of heads) one.setAttribute("aria-sort", one === head ? order : "none");
        const value = (row) => {
          const cell = row.cells[column];
          if (!numeric) return cell.textContent;
          return cell.dataset.value === "" ? null : Number(cell.dataset.value);
        };
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const x = value(a), y = value(b);
          if (x === null || y === null) return (x === null) - (y === null);
          return sign * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Filter: every word must be in the line.
  const filter = document.getElementById("filter");
  if (filter) {
    const rows = [...document.getElementById(filter.dataset.table).tBodies[0].rows];
    const shown = document.getElementById("shown");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) ++count;
      }
      shown.textContent = count === rows.length ? `${count} runs` : `${count} of ${rows.length} runs`;
    });
  }

  // On paper nothing can be opened.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
