// Runs before the first paint: the stored choice, or what the system says.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* storage may be forbidden */ }
  const system = matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
    document.getElementById("dark-colours").media = dark ? "screen" : "not all";
  }
  addEventListener("themechoice", (event) => { chosen = event.detail; apply(); });
  system.addEventListener("change", apply);
  apply();
})();
