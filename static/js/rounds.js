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

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }

  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = document.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
  });
})();
