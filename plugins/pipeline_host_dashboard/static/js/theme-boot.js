// Runs before the page is painted, so that the chosen theme doesn't flash in late.
(() => {
  try {
    const theme = localStorage.getItem("pipeline-host.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage can be forbidden; then the theme follows the system.
  }
})();
