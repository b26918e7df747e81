/* Applies the remembered theme before anything is painted. A classic script in the head, because modules run too late for that. */
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  function remembered() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden; the system's preference holds then
    }
  }

  const theme = remembered();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
