/* Applies the remembered theme before anything is painted. It is a classic script in the head, because modules run too late. */
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  function remembered() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden; then the system's preference applies
    }
  }

  const theme = remembered();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
