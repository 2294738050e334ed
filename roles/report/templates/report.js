/* SPDX-FileCopyrightText: 2026 Tenantry contributors
   SPDX-License-Identifier: GPL-3.0-or-later
   Sorts, filters and switches what is there without it. Loads nothing, sends nothing. */
"use strict";

(() => {
  const root = document.documentElement;
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* a page on a disk may have no storage */ } },
  };
  const THEMES = ["auto", "light", "dark"];
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const known = (theme) => (THEMES.includes(theme) ? theme : "auto");

  function setTheme(theme) {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  }
  // Before anything is painted.
  root.classList.add("js");
  setTheme(known(store.get("tenantry-theme")));

  function themes() {
    const button = document.querySelector("[data-theme-switch]");
    if (!button) return;
    const show = (theme) => { button.querySelector("span").textContent = theme; };
    let theme = known(store.get("tenantry-theme"));
    show(theme);
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      store.set("tenantry-theme", theme);
      setTheme(theme);
      show(theme);
    });
  }

  const valueOf = (cell) => {
    const number = Number(cell.dataset.sort);
    return cell.dataset.sort !== undefined && !Number.isNaN(number) ? number : cell.textContent.trim();
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b));

  // A narrow page has no room for headings: there a list stands in for them, in the table's form or above the table.
  function beside(table, list) {
    const box = document.createElement("span");
    box.className = "narrow";
    box.append("Sort by", list);
    const form = table.id && document.querySelector(`form[data-filter="${table.id}"], form[data-search="${table.id}"]`);
    if (form) {
      form.insertBefore(box, form.querySelector("output"));
    } else if (table.tBodies[0].rows.length > 1) {
      const line = document.createElement("div");
      line.className = "filter only-narrow";
      line.append(box);
      table.before(line);
    }
  }

  function headings(table, sort) {
    const heads = [...table.tHead.rows[0].cells];
    const list = document.createElement("select");
    list.setAttribute("aria-label", "Sort by");
    list.append(new Option("as listed", "", true));
    list.options[0].disabled = true;
    const by = (column, sign) => {
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      heads[column].setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      list.value = `${column} ${sign}`;
      sort(column, sign);
    };
    heads.forEach((head, column) => {
      if (head.dataset.plain !== undefined) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      list.append(new Option(`${head.textContent}, ascending`, `${column} 1`));
      list.append(new Option(`${head.textContent}, descending`, `${column} -1`));
      head.replaceChildren(button);
      button.addEventListener("click", () => by(column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
    });
    list.addEventListener("change", () => by(...list.value.split(" ").map(Number)));
    beside(table, list);
  }

  function sortable(table) {
    headings(table, (column, sign) => {
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
      rows.sort((a, b) => sign * compare(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  }

  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  function filter(form) {
    const rows = [...document.getElementById(form.dataset.filter).tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const field = form.querySelector("[data-text]");
    const selects = [...form.querySelectorAll("select[data-key]")];
    const told = form.querySelector("output");
    const apply = () => {
      const wanted = words(field.value);
      let count = 0;
      rows.forEach((row, place) => {
        const shown = wanted.every((word) => texts[place].includes(word))
          && selects.every((select) => !select.value || row.dataset[select.dataset.key] === select.value);
        row.hidden = !shown;
        count += shown;
      });
      told.textContent = count === rows.length ? `${count}` : `${count} of ${rows.length}`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }

  function copying() {
    document.querySelectorAll(".cmd").forEach((line) => {
      const code = line.querySelector("code");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${line.querySelector("span").textContent}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code.textContent);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(code);
          button.textContent = "Selected";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
      line.append(button);
    });
  }

  function numa() {
    const radios = document.querySelectorAll("input[name=numa]");
    const chosen = document.getElementById(store.get("tenantry-numa") || "");
    if (chosen && chosen.name === "numa") chosen.checked = true;
    radios.forEach((radio) => radio.addEventListener("change", () => store.set("tenantry-numa", radio.id)));
  }

  function cell(kind, label, text, number) {
    const made = document.createElement(kind);
    made.setAttribute("role", kind === "th" ? "rowheader" : "cell");
    made.dataset.label = label;
    if (number) made.className = "num";
    if (text) made.textContent = text;
    return made;
  }

  // One VM of vms.js: name, place of its host, status, addresses, cores, memory, pool, tags, origin: 0 ours, 1 enlisted, 2 unknown.
  function line(vm, host) {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    const name = cell("th", "VM");
    const link = document.createElement("a");
    name.scope = "row";
    link.textContent = vm[0];
    link.href = `hosts/${encodeURIComponent(host[1])}.html#vm-${encodeURIComponent(vm[0])}`;
    name.append(link);
    if (vm[8]) {
      const mark = document.createElement("span");
      mark.className = "mark-word";
      mark.textContent = vm[8] === 1 ? "enlisted" : "origin unknown";
      name.append(" ", mark);
    }
    const status = cell("td", "Status");
    const dot = document.createElement("span");
    dot.className = `dot ${vm[2] === "Running" || vm[2] === "Ready" ? "on" : vm[2] === "Error" ? "bad" : "off"}`;
    dot.textContent = vm[2];
    status.append(dot);
    row.append(name, cell("td", "Host", host[0]), status, cell("td", "Addresses", vm[3] || "–"),
      cell("td", "Cores", String(vm[4] ?? "–"), true), cell("td", "Memory", vm[5] || "–", true),
      cell("td", "Pool", vm[6] || "–"), cell("td", "Tags", vm[7] || "–"));
    return row;
  }

  const BYTES = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  const bytes = (text) => {
    const found = /^([\d.]+)\s*([A-Za-z]*)$/.exec(text);
    return found ? Number(found[1]) * (BYTES[found[2] || "B"] || 1) : -1;
  };

  function search(form) {
    const { hosts, vms } = window.TENANTRY || { hosts: [], vms: [] };
    const table = document.getElementById("vms-table");
    const more = document.getElementById("vms-more");
    const field = form.querySelector("[data-text]");
    const [status, origin] = form.querySelectorAll("select");
    const told = form.querySelector("output");
    const all = vms.map((vm) => [vm, [vm[0], ...hosts[vm[1]], vm[3], vm[6], vm[7]].join(" ").toLowerCase()]);
    const keys = [(vm) => vm[0], (vm) => hosts[vm[1]][0], (vm) => vm[2], (vm) => vm[3], (vm) => vm[4] ?? -1,
      (vm) => bytes(vm[5]), (vm) => vm[6], (vm) => vm[7]];
    let found = [];
    let shown = 0;

    function show() {
      const next = found.slice(shown, shown + 100);
      table.tBodies[0].append(...next.map(([vm]) => line(vm, hosts[vm[1]])));
      shown += next.length;
      more.hidden = shown >= found.length;
      told.textContent = `${found.length} of ${all.length}`;
    }
    function apply() {
      const wanted = words(field.value);
      found = all.filter(([vm, text]) => wanted.every((word) => text.includes(word))
        && (!status.value || vm[2] === status.value) && (!origin.value || String(vm[8]) === origin.value));
      shown = 0;
      table.tBodies[0].replaceChildren();
      show();
    }
    [...new Set(vms.map((vm) => vm[2]))].sort().forEach((each) => status.append(new Option(each)));
    field.value = new URLSearchParams(location.search).get("q") || "";
    headings(table, (column, sign) => {
      all.sort((a, b) => sign * compare(keys[column](a[0]), keys[column](b[0])));
      apply();
    });
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    more.addEventListener("click", show);
    apply();
  }

  function shortcuts() {
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, select, textarea")) return;
      const field = document.querySelector("main .filter [data-text]") || document.querySelector(".find input");
      if (field) { event.preventDefault(); field.focus(); }
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    document.querySelectorAll("table[data-sortable]").forEach(sortable);
    document.querySelectorAll("form[data-filter]").forEach(filter);
    copying();
    numa();
    shortcuts();
    const form = document.getElementById("vm-search");
    if (form) search(form);
  });
})();
