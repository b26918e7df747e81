/** Reports when this tab has been hidden for a moment, and when it is visible again.
 *
 * Because of the moment, a glance at another tab costs nothing.
 */

const MOMENT_MS = 5000;

/** Calls `left` once the tab has been hidden for a moment, and `back` when it becomes visible after that. */
export function watchPresence({ left, back }) {
  let timer = 0;
  let gone = false;

  function leave() {
    gone = true;
    left();
  }

  function check() {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") {
      if (!gone) timer = setTimeout(leave, MOMENT_MS);
    } else if (gone) {
      gone = false;
      back();
    }
  }

  document.addEventListener("visibilitychange", check);
  check();
  return {
    stop() {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", check);
    },
  };
}
