/** Follows the text as it grows, until the reader scrolls up. Then it offers a button that leads back.
 *
 * A ResizeObserver notices the growth. It runs after layout and before paint, so following needs no extra layout.
 */

const NEAR_PX = 48;
const MARGIN_PX = 24; // the height of the shade above the foot

export function followText(scroller, content, button) {
  let following = true;
  let lastTop = scroller.scrollTop;
  let seenHeight = scroller.scrollHeight; // without what has come since the last layout: a reader who scrolls does not know of it yet

  const below = (height) => height - scroller.scrollTop - scroller.clientHeight;
  const distance = () => below(scroller.scrollHeight);

  function follow() {
    if (!content.childElementCount) return; // there is no text to follow yet
    following = true;
    scroller.scrollTop = scroller.scrollHeight;
    lastTop = scroller.scrollTop;
    button.hidden = true;
  }

  scroller.addEventListener(
    "scroll",
    () => {
      const movedUp = scroller.scrollTop < lastTop - 1;
      lastTop = scroller.scrollTop;
      if (below(Math.min(seenHeight, scroller.scrollHeight)) < NEAR_PX) following = true;
      else if (movedUp) following = false;
      button.hidden = following;
    },
    { passive: true },
  );
  button.addEventListener("click", follow);

  const observer = new ResizeObserver(() => {
    seenHeight = scroller.scrollHeight;
    if (following) follow();
    else button.hidden = distance() < NEAR_PX;
  });
  observer.observe(content);
  observer.observe(scroller);

  return {
    follow,
    following: () => following,
    /** Stops following, so that the view stays in place while an opened element grows. */
    stay() {
      following = false;
    },
    /** Scrolls an opened element into view: all of it if it fits, otherwise its core, otherwise the beginning of the core. */
    reveal(element, core) {
      following = false;
      const room = scroller.getBoundingClientRect();
      const whole = element.getBoundingClientRect();
      const box = core && whole.height + 2 * MARGIN_PX > room.height ? core.getBoundingClientRect() : whole;
      const missing = box.bottom + MARGIN_PX - room.bottom;
      const top = Math.min(missing, box.top - MARGIN_PX - room.top);
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (missing > 0) scroller.scrollBy({ top, behavior: calm ? "auto" : "smooth" });
    },
  };
}
