// A calendar beside each field for a date. The field takes a typed date without it.
// It is a dialog as the ARIA Authoring Practices describe: a grid that arrow keys move in, and one day in the tab order.
(function () {
  const template = document.getElementById("date-picker");
  if (!template) return;
  const { order, pattern } = template.dataset;
  const dialog = template.content.querySelector("dialog").cloneNode(true);
  const [months, year, grid, days, spoken] = ["select", "input", "table", "tbody", "[aria-live]"].map((part) => dialog.querySelector(part));
  const rightToLeft = document.documentElement.dir === "rtl";
  document.body.append(dialog);

  // A day is its midnight in UTC: no zone of the browser's moves it.
  const today = dayOf(template.dataset.today);
  let field, opener, here;

  function dayOf(text) { return new Date(`${text}T00:00:00Z`); }

  function textOf(day) { return day.toISOString().slice(0, 10); }

  function read(text) {
    const numbers = text.match(/\d+/g) ?? [];
    if (numbers.length !== 3) return null;
    const parts = numbers[0].length === 4 ? "yMd" : order;
    const [y, m, d] = ["y", "M", "d"].map((part) => numbers[parts.indexOf(part)].padStart(2, "0"));
    const day = dayOf(`${y}-${m}-${d}`);
    return isNaN(day) || textOf(day) !== `${y}-${m}-${d}` ? null : day;
  }

  function write(day) {
    const parts = { y: day.getUTCFullYear(), M: day.getUTCMonth() + 1, d: day.getUTCDate() };
    return pattern.replace(/\{(y|MM?|dd?)\}/g, (_all, part) => String(parts[part[0]]).padStart(part.length, "0"));
  }

  function mayBeChosen(day) { return textOf(day) >= field.dataset.first && textOf(day) <= field.dataset.last; }

  // Days that cannot be chosen are shown all the same: a month is often selected before its year.
  function shownFor(day) {
    const first = dayOf(`${field.dataset.first.slice(0, 4)}-01-01`), last = dayOf(`${field.dataset.last.slice(0, 4)}-12-31`);
    return day < first ? first : day > last ? last : day;
  }

  function after(day, number) { return new Date(day.getTime() + number * 86400000); }

  // The same day of another month, or that month's last one.
  function monthsAfter(day, number) {
    const first = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + number, 1));
    const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0));
    return after(first, Math.min(day.getUTCDate(), last.getUTCDate()) - 1);
  }

  function inWeek(day) { return (day.getUTCDay() + 6 - Number(template.dataset.firstWeekday)) % 7; }

  function cell(day, month, chosen) {
    const place = document.createElement("td");
    place.setAttribute("role", "gridcell");
    if (day.getUTCMonth() !== month) return place;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = day.getUTCDate();
    button.dataset.day = textOf(day);
    button.tabIndex = textOf(day) === textOf(here) ? 0 : -1;
    if (textOf(day) === textOf(today)) button.setAttribute("aria-current", "date");
    if (!mayBeChosen(day)) button.setAttribute("aria-disabled", "true");
    place.setAttribute("aria-selected", String(chosen !== null && textOf(day) === textOf(chosen)));
    place.append(button);
    return place;
  }

  // Shows the month of a day, which keys then start from.
  function show(day, { focus = false } = {}) {
    here = shownFor(day);
    const month = here.getUTCMonth(), chosen = read(field.value);
    months.value = month;
    if (Number(year.value) !== here.getUTCFullYear()) year.value = here.getUTCFullYear();
    const name = `${months.selectedOptions[0].textContent} ${here.getUTCFullYear()}`;
    if (spoken.textContent !== name) spoken.textContent = name;
    grid.setAttribute("aria-label", name);
    const first = after(here, 1 - here.getUTCDate());
    const rows = [];
    for (let start = after(first, -inWeek(first)); start <= first || start.getUTCMonth() === month; start = after(start, 7)) {
      const row = document.createElement("tr");
      row.append(...[0, 1, 2, 3, 4, 5, 6].map((number) => cell(after(start, number), month, chosen)));
      rows.push(row);
    }
    days.replaceChildren(...rows);
    if (focus) days.querySelector("[tabindex='0']").focus();
  }

  function choose(day) {
    field.value = write(day);
    dialog.close();
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
  }

  function open(button, input) {
    [opener, field] = [button, input];
    dialog.setAttribute("aria-label", opener.getAttribute("aria-label"));
    [year.min, year.max] = [field.dataset.first.slice(0, 4), field.dataset.last.slice(0, 4)];
    dialog.showModal();
    show(read(field.value) ?? today, { focus: true });
    const at = field.getBoundingClientRect(), size = dialog.getBoundingClientRect();
    const below = at.bottom + 4, above = at.top - size.height - 4;
    dialog.style.top = `${Math.max(8, below + size.height <= innerHeight || above < 8 ? Math.min(below, innerHeight - size.height - 8) : above)}px`;
    const start = rightToLeft ? at.right - size.width : at.left;
    dialog.style.left = `${Math.max(8, Math.min(start, innerWidth - size.width - 8))}px`;
  }

  function keyed(event) {
    const step = rightToLeft ? -1 : 1;
    const moves = {
      ArrowLeft: () => after(here, -step),
      ArrowRight: () => after(here, step),
      ArrowUp: () => after(here, -7),
      ArrowDown: () => after(here, 7),
      Home: () => after(here, -inWeek(here)),
      End: () => after(here, 6 - inWeek(here)),
      PageUp: () => monthsAfter(here, event.shiftKey ? -12 : -1),
      PageDown: () => monthsAfter(here, event.shiftKey ? 12 : 1),
    };
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(moves[event.key](), { focus: true });
  }

  days.addEventListener("keydown", keyed);
  days.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && !button.hasAttribute("aria-disabled")) choose(dayOf(button.dataset.day));
  });
  months.addEventListener("change", () => show(monthsAfter(here, Number(months.value) - here.getUTCMonth())));
  year.addEventListener("input", () => {
    if (year.value.length === 4) show(monthsAfter(here, 12 * (Number(year.value) - here.getUTCFullYear())));
  });
  for (const button of dialog.querySelectorAll("[data-months]")) {
    button.addEventListener("click", () => show(monthsAfter(here, Number(button.dataset.months))));
  }
  dialog.querySelector("[data-today]").addEventListener("click", () => show(today, { focus: true }));
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => opener.focus());

  for (const input of document.querySelectorAll("input[data-date]")) {
    const button = template.content.querySelector(".date-button").cloneNode(true);
    button.setAttribute("aria-label", `${button.textContent.trim()}: ${input.labels[0]?.textContent.trim() ?? ""}`);
    button.addEventListener("click", () => open(button, input));
    input.after(button);
  }
})();
