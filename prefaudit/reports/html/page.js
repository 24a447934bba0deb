"use strict";
(() => {
  const all = (what, inside = document) => [...inside.querySelectorAll(what)];
  document.documentElement.classList.add("js");

  // Sorting: a press of a column's button sorts by it, the next one turns the order round. What has no value comes last.
  const sort = (table, head, column) => {
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") !== "descending" : head.dataset.first === "down";
    all("[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const words = head.dataset.sort === "text";
    const keyed = all(":scope > tbody > tr", table).map((row) => [row.cells[column].dataset.v ?? row.cells[column].textContent.toLowerCase(), row]);
    const order = (a, b) => (words ? a.localeCompare(b) : Number(a) - Number(b)) * (down ? -1 : 1);
    keyed.sort(([a], [b]) => (a === "") - (b === "") || (a === "" ? 0 : order(a, b)));
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  };
  all("table.sorts").forEach((table) =>
    all("thead th", table).forEach((head, column) =>
      head.querySelector("button")?.addEventListener("click", () => sort(table, head, column))));

  // Filters: the rows of a table, or the findings, that every control beside them lets through.
  const lets = {
    equals: (value, wanted) => value === wanted,
    holds: (value, wanted) => value.toLowerCase().includes(wanted.toLowerCase()),
    under: (value, wanted) => value !== "" && Number(value) < Number(wanted),
  };
  all("form[data-for]").forEach((form) => {
    const controls = all("[data-key]", form);
    const rows = all(`#${form.dataset.for} [data-row]`);
    const told = form.querySelector("output");
    const apply = () => {
      const wanted = controls.filter((c) => c.value !== "").map((c) => {
        const [how, value] = c.dataset.how ? [c.dataset.how, c.value] : c.value.split("|");
        return [c.dataset.key, lets[how], value];
      });
      rows.forEach((row) => { row.hidden = !wanted.every(([key, holds, value]) => holds(row.dataset[key] ?? "", value)); });
      told.textContent = `${rows.filter((row) => !row.hidden).length} shown`;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    apply();
  });

  // Long texts.
  all(".more").forEach((button) => button.addEventListener("click", () => {
    const open = button.previousElementSibling.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
    button.firstChild.textContent = open ? "Show less" : "Show all";
  }));

  // One pair after the other.
  all(".pager").forEach((pager) => {
    const pairs = all(":scope > .pair", pager.parentElement);
    const [back, next, every] = all("button", pager);
    let at = 0;
    let whole = false;
    const show = () => {
      pairs.forEach((pair, k) => { pair.hidden = !whole && k !== at; });
      back.disabled = whole || at === 0;
      next.disabled = whole || at === pairs.length - 1;
      every.setAttribute("aria-pressed", String(whole));
      pager.querySelector("output").textContent = whole ? `${pairs.length} pairs` : `Pair ${at + 1} of ${pairs.length}`;
    };
    back.addEventListener("click", () => { at -= 1; show(); });
    next.addEventListener("click", () => { at += 1; show(); });
    every.addEventListener("click", () => { whole = !whole; show(); });
    show();
  });

  // Findings: open and close all; a link to one opens it.
  all("[data-open]").forEach((button) => button.addEventListener("click", () =>
    all("details.finding", document.getElementById(button.dataset.for)).forEach((one) => { one.open = button.dataset.open === "yes"; })));
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details")) {
      target.hidden = false;
      target.open = true;
      target.querySelector("summary").focus({ preventScroll: true });
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Where the reader is.
  const links = new Map(all("nav a").map((a) => [a.hash.slice(1), a]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    entries.forEach((e) => (e.isIntersecting ? seen.add(e.target.id) : seen.delete(e.target.id)));
    let first = true;
    links.forEach((a, id) => {
      const here = first && seen.has(id);
      if (here) { first = false; a.setAttribute("aria-current", "true"); } else a.removeAttribute("aria-current");
    });
  }, { rootMargin: "-10% 0px -70% 0px" });
  all("main > section").forEach((section) => watch.observe(section));
})();
