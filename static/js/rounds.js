// What a page does beyond links and forms. Every page works without it.
(function () {
  const root = document.documentElement;

  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const choice = root.dataset.bsTheme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", choice); } catch { /* then it lasts for this page */ }
      dispatchEvent(new CustomEvent("themechoice", { detail: choice }));
    });
  }

  // On a telephone the strip of tabs is longer than the window: the tab of this page is brought into it.
  document.querySelector(".tabs-strip [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }

  // Printing a record is on record, whether by our button or the browser's own menu.
  const printed = document.querySelector("[data-printed]");
  if (printed) addEventListener("beforeprint", () => {
    const body = new URLSearchParams({ csrf_token: document.querySelector("input[name=csrf_token]").value });
    fetch(printed.dataset.printed, { method: "POST", body, keepalive: true }).catch(() => {});
  });

  // What is typed into a long form stays in this tab until it is saved: over a lost connection, a session that ended.
  // Session storage ends with the tab, and signing out empties it.
  const done = document.querySelector("[data-draft-done]");
  if (done) sessionStorage.removeItem(done.dataset.draftDone);
  for (const button of document.querySelectorAll("form[action='/sign-out'] button")) {
    button.addEventListener("click", () => sessionStorage.clear());
  }
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const texts = () => [...form.elements].filter((field) => field.name && field.type !== "hidden");
    const kept = JSON.parse(sessionStorage.getItem(form.dataset.draft) || "{}");
    let back = false;
    for (const field of texts()) {
      if (!(field.name in kept) || kept[field.name] === field.value) continue;
      field.value = kept[field.name];
      back = true;
    }
    form.querySelector("[data-draft-note]").hidden = !back;
    form.addEventListener("input", () => {
      const now = Object.fromEntries(texts().map((field) => [field.name, field.value]));
      sessionStorage.setItem(form.dataset.draft, JSON.stringify(now));
    });
  }

  // What cannot be done twice: a second click while the first is on its way would lead to a refusal.
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if ("sent" in form.dataset) event.preventDefault();
      form.dataset.sent = "";
    });
    addEventListener("pageshow", () => { delete form.dataset.sent; });
  }

  // Where a country has several time zones, the one of this computer is proposed.
  const propose = () => {
    const zone = document.querySelector("#place select[name=timezone]");
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const own = [...(zone?.querySelector("optgroup")?.children ?? [])].some((option) => option.value === here);
    if (!zone || zone.value || !own) return;
    zone.value = here;
    zone.dispatchEvent(new Event("change", { bubbles: true }));
  };
  addEventListener("load", propose);
  addEventListener("htmx:afterSettle", propose);

  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = document.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
  });
})();
